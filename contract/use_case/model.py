"""The use case: one YAML file from which every other description of the data and model derives."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    StringConstraints,
    WithJsonSchema,
    field_serializer,
    field_validator,
    model_validator,
)

from contract.names import (
    BESIDE_EVENT_TIME,
    FEEDBACK_COLUMNS,
    PREDICTION_COLUMNS,
    ROW_COLUMNS,
    ROW_KEY,
)
from contract.use_case.functions import derived_column, part_column
from contract.use_case.sections.card import Card
from contract.use_case.sections.column import Column, ColumnType
from contract.use_case.sections.derived import Derived
from contract.use_case.sections.estimator import Estimator, Scalar
from contract.use_case.sections.gates import Evaluation, Gates
from contract.use_case.sections.monitoring import Monitoring
from contract.use_case.sections.release import Release
from contract.use_case.sections.retraining import Retraining
from contract.use_case.sections.schedule import Batch, Job, Schedule
from contract.use_case.sections.section import Section
from contract.use_case.sections.serving import Privacy, Serving
from contract.use_case.sections.source import CsvFormat, Source
from contract.use_case.sections.split import GroupSplit, Split
from contract.use_case.sections.validation import Expectation, Validation

Task = Literal["binary", "multiclass", "regression"]
# In place of names of keys: a row is named by the hash of its cells; docs/row-hash.md.
BY_ROW_HASH = "row_hash"
KEYS_IN_JSON = {
    "anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"const": BY_ROW_HASH}]
}
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class UseCase(Section):
    """A prediction problem: data, model, gates and operation in one frozen value."""

    name: Name
    """Name of the registered model, of the experiments and of the folder of tables."""
    title: str
    """The same for people, as a short headline."""
    description: str = ""
    """What is predicted from what, in a sentence."""
    owner: str = ""
    """Who answers for it: a mail address or a team."""
    task: Task
    """What kind of answer is asked for."""
    source: Source
    """Where rows come from: exactly one of `python`, `csv`, `parquet`, `json`, `sql`, `delta`."""
    keys: Annotated[tuple[str, ...], WithJsonSchema(KEYS_IN_JSON)]
    """The columns that together name a row, or the word row_hash: the hash of its cells does."""
    event_time: str | None = None
    """The column that says when what a row describes happened."""
    time_zone: str = "UTC"
    """The clock by which times without an offset are read and days begin."""
    target: str
    """The column that is predicted."""
    weight: str | None = None
    """The column that says how much a row counts in training."""
    positive: Scalar | None = None
    """The value of the target that counts as yes; `binary` alone."""
    columns: dict[str, Column]
    """Every column with its type; those that are nothing else are the model's inputs."""
    derived: dict[str, Derived] = {}
    """Columns that are computed from others, the same in training and in every answer."""
    expectations: tuple[Expectation, ...] = ()
    """More expectations than follow from the columns."""
    validation: Validation = Validation()
    """How much bad data a delivery may hold."""
    split: Split
    """Which rows are learned from and which are held out."""
    estimator: Estimator
    """What learns."""
    evaluation: Evaluation
    """What is measured on the holdout."""
    gates: Gates = Gates()
    """What a version must reach before it may answer users."""
    release: Release = Release()
    """Who lets a version reach Production."""
    monitoring: Monitoring = Monitoring()
    """How a window of answers is judged."""
    retraining: Retraining = Retraining()
    """When and on what a retraining may run."""
    schedule: Schedule = Schedule()
    """When each job runs, by cron expressions; a job that is left out does not run."""
    batch: Batch | None = None
    """Rows that are answered by the clock, and where their answers go."""
    serving: Serving = Serving()
    """How the service may run a version."""
    privacy: Privacy = Privacy()
    """How long answers are kept."""
    card: Card = Card()
    """What the model card says and no computation can know."""

    @field_validator("columns")
    @classmethod
    def _are_columns_of_a_table(cls, columns: dict[str, Column]) -> dict[str, Column]:
        """Delta does not tell names apart by their case."""
        seen = {name: f"{name!r}, which every table has" for name in ROW_COLUMNS}
        for name in columns:
            if not name:
                raise ValueError("a column has no name; one is needed")
            if other := seen.get(name.lower()):
                raise ValueError(f"{name!r} and {other} are one name to a table; another is needed")
            seen[name.lower()] = repr(name)
        return columns

    @field_validator("keys", mode="before")
    @classmethod
    def _are_columns_or_the_word(cls, keys: object) -> object:
        if keys == BY_ROW_HASH:
            return ()
        if isinstance(keys, str) or keys in ([], ()):
            raise ValueError(
                f"a list of columns is needed, e.g. [id], or {BY_ROW_HASH} where no column tells "
                "rows apart"
            )
        return keys

    @field_serializer("keys")
    def _as_declared(self, keys: tuple[str, ...]) -> tuple[str, ...] | str:
        return keys or BY_ROW_HASH

    @field_validator("keys")
    @classmethod
    def _stand_beside_ours(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise ValueError(f"{twice!r} stands twice")
        taken = [k for k in keys if k.lower() in PREDICTION_COLUMNS | FEEDBACK_COLUMNS]
        if taken:
            raise ValueError(
                f"{', '.join(taken)} is a column of the tables predictions and feedback, in which "
                "the keys stand too; another name is needed"
            )
        return keys

    @field_validator("event_time")
    @classmethod
    def _stands_beside_answers(cls, name: str | None) -> str | None:
        if name in BESIDE_EVENT_TIME:
            raise ValueError(
                f"{name} is said beside it, of a label (POST /feedback) or of an answer (score); "
                "another name is needed"
            )
        return name

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other fields. What was worked out from the old ones is not copied."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("apart", "inputs", "features", "feature_columns"):
            copied.__dict__.pop(name, None)
        return copied

    # Each request asks for these; without the cache they cost it 0.2 ms.
    @cached_property
    def apart(self) -> frozenset[str]:
        """Columns that no model sees as they are: keys, event time, target, weight and group."""
        group = self.split.column if isinstance(self.split, GroupSplit) else None
        names = (*self.keys, self.event_time, self.target, self.weight, group)
        return frozenset(name for name in names if name is not None)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Columns that a caller must send, in declared order: those that the model sees as they
        are, and those from which something is computed."""
        read = {name for declared in self.derived.values() for name in declared.of}
        return tuple(
            name
            for name, column in self.columns.items()
            if column.parts or name in read or (column.feature and name not in self.apart)
        )

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What the model sees, in declared order: columns as they were sent, each before its
        parts, then derived columns. contract.use_case.features computes them."""
        return tuple(self.feature_columns)

    @cached_property
    def feature_columns(self) -> dict[str, Column]:
        """The features, each as a column of its own."""
        read = {name for declared in self.derived.values() for name in declared.of}
        found: dict[str, Column] = {}
        apart, known = self.apart, dict(self.columns)
        for name, column in self.columns.items():
            computes = column.type == "timestamp" and (column.parts or name in read)
            if column.feature and name not in apart and not computes:
                found[name] = column
            for own, part in column.named_parts(name):
                found[own] = known[own] = part_column(part, name, column)
        for name, declared in self.derived.items():
            known[name] = derived_column(declared, [known[n] for n in declared.of if n in known])
            if declared.feature:
                found[name] = known[name]
        return found

    @property
    def row_keys(self) -> tuple[str, ...]:
        """Columns of our tables by which a row is known again: the keys, or the hash of its cells.

        Requests, answers and labels know the keys alone: there may be none.
        """
        return self.keys or (ROW_KEY,)

    @property
    def zone(self) -> ZoneInfo:
        """The clock by which times without an offset are read and days begin."""
        return ZoneInfo(self.time_zone)

    @property
    def csv_format(self) -> CsvFormat:
        """How CSV files of this use case are written: its source, batches and labels."""
        return self.source.csv or CsvFormat()

    @property
    def jobs(self) -> dict[Job, str]:
        """The jobs that run by the clock, each with its cron expression, as they follow at once."""
        found = self.schedule.jobs
        if self.batch and self.batch.cron:
            found["batch"] = self.batch.cron
        return {name: found[name] for name in get_args(Job) if name in found}

    @property
    def classifies(self) -> bool:
        """Whether the task is a classification."""
        return self.task != "regression"

    @property
    def answer_type(self) -> ColumnType:
        """Type of an answer: a regression gives a number whatever it learned from."""
        return self.columns[self.target].type if self.classifies else "number"

    @property
    def log_types(self) -> dict[str, ColumnType]:
        """Inputs and keys as the log holds them: a hash is text, what is dropped is not there."""
        found = {name: self.columns[name] for name in (*self.inputs, *self.keys)}
        return {
            name: "string" if column.logged == "hash" else column.type
            for name, column in found.items()
            if column.logged != "drop"
        }

    @property
    def label_keys(self) -> tuple[str, ...]:
        """Keys by which a label names a row: all, or none where one of them is not in the log.

        The rest of the keys would name other rows too.
        """
        return self.keys if self.log_types.keys() >= set(self.keys) else ()

    @model_validator(mode="after")
    def _weight_is_a_weight(self) -> Self:
        """A weight that is null, or below zero, has no meaning."""
        if self.weight is None or self.weight not in self.columns:
            return self  # the loader names a column that is not declared
        column = self.columns[self.weight]
        if column.type not in ("integer", "number") or column.nullable:
            raise ValueError(f"weight: {self.weight!r} must be a number and not nullable")
        if column.min is None or column.min < 0:
            raise ValueError(f"weight: {self.weight!r} must declare a min of 0 or more")
        if self.weight in (*self.keys, self.event_time, self.target):
            raise ValueError(f"weight: {self.weight!r} is key, event time or target already")
        return self

    @model_validator(mode="after")
    def _what_is_replaced_has_a_key(self) -> Self:
        if not self.keys and self.source.late_duplicates == "replace":
            raise ValueError(
                "source.late_duplicates: replace needs keys; a row named by the hash of its cells "
                "never arrives again with other cells"
            )
        return self

    @model_validator(mode="after")
    def _only_features_and_keys_are_hidden(self) -> Self:
        for name in (self.event_time, self.target):
            if name in self.columns and self.columns[name].log in ("hash", "drop"):
                raise ValueError(f"columns.{name}: event time and target stand in the log as sent")
        return self

    def sections(self, *names: str) -> dict[str, object]:
        """What a step depends on, as plain values, for its cache key: whole sections (`columns`),
        or a key of one (`monitoring.reference_rows`)."""
        parts = [name.partition(".") for name in ("name", "task", *names)]
        include: dict[str, Any] = {part: {key} if key else True for part, _, key in parts}
        return self.model_dump(mode="json", include=include)
