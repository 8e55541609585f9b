"""The use case: one YAML file from which every other description of the data and model derives."""

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    StringConstraints,
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
from contract.use_case.derived import Derived, Part
from contract.use_case.estimator import Encoding, Estimator, Scalar
from contract.use_case.functions import FUNCTIONS, PARTS, bin_names
from contract.use_case.section import Section
from contract.use_case.source import CsvFormat, Source

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp"]
Task = Literal["binary", "multiclass", "regression"]
Logged = Literal["keep", "hash", "drop"]
# Type and encoding of the columns whose rarer values may share one code.
# In place of names of keys: a row is named by the hash of its cells; docs/row-hash.md.
BY_ROW_HASH = "row_hash"
LIMITED = {("string", None), ("string", "one-hot"), ("string", "ordinal")}
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class Column(Section):
    """One column, as everybody who handles it must know it."""

    type: ColumnType
    description: str = ""
    unit: str = ""
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    categories: tuple[str, ...] | None = None
    encode: Encoding | None = None
    max_categories: int | None = Field(default=None, ge=2, le=1000)
    unseen: Literal["allow", "reject"] = "allow"
    out_of_range: Literal["allow", "reject"] = "allow"
    personal: bool = False
    log: Logged | None = None
    parts: tuple[Part, ...] = ()
    feature: bool = True

    def named_parts(self, name: str) -> list[tuple[str, Part]]:
        """The declared parts of the column, which is called `name`, each with its own name."""
        return [(f"{name}_{part}", part) for part in self.parts]

    @property
    def logged(self) -> Logged:
        """What of the column enters the log: a personal one is hashed unless it says otherwise."""
        return self.log or ("hash" if self.personal else "keep")

    @model_validator(mode="after")
    def _bounds_fit_the_type(self) -> Self:
        if self.categories is not None and self.type != "string":
            raise ValueError(f"categories belong to a string column, this one is {self.type}")
        if self.encode is not None and self.type != "string":
            raise ValueError(f"encode belongs to a string column, this one is {self.type}")
        if self.max_categories is not None and (self.type, self.encode) not in LIMITED:
            raise ValueError("max_categories belongs to a string column that is no target encoding")
        if (self.min, self.max) != (None, None) and self.type not in ("integer", "number"):
            raise ValueError(f"min and max belong to a number, this column is {self.type}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        if self.parts and self.type != "timestamp":
            raise ValueError(f"parts belong to a timestamp column, this one is {self.type}")
        if twice := next((part for part in self.parts if self.parts.count(part) > 1), None):
            raise ValueError(f"parts: {twice} stands twice")
        return self


class Expectation(Section):
    """Any Great Expectations expectation by its class name, with its own arguments."""

    expectation: str = Field(pattern=r"^Expect[A-Za-z]+$")
    severity: Literal["critical", "warning"] = "warning"
    arguments: dict[str, object] = {}


class Validation(Section):
    """How much bad data a delivery may hold."""

    min_rows: int = Field(default=100, ge=1)
    max_quarantined_share: float = Field(default=0.01, ge=0, le=1)


class TimeSplit(Section):
    """Train on the past, hold out the newest labelled slice. Bounds are [from, until)."""

    by: Literal["time"]
    train_from: date | None = None
    train_until: date | None = None
    holdout_until: date | None = None
    holdout_share: float = Field(default=0.2, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = [b for b in (self.train_from, self.train_until, self.holdout_until) if b]
        if any(a >= b for a, b in pairwise(bounds)):
            raise ValueError("train_from < train_until < holdout_until is needed")
        return self


class GroupSplit(Section):
    """Whole groups go to one side, drawn by a hash of the group; the share is of groups, about."""

    by: Literal["group"]
    column: str
    holdout_share: float = Field(default=0.2, gt=0, lt=1)
    seed: int = 0


class RandomSplit(Section):
    """Rows drawn by a seeded hash of their key, so each stays on its side; the share is about."""

    by: Literal["random"]
    holdout_share: float = Field(default=0.2, gt=0, lt=1)
    seed: int = 0


Split = Annotated[TimeSplit | GroupSplit | RandomSplit, Field(discriminator="by")]


class Evaluation(Section):
    """What is measured on the holdout. The first metric decides, tunes and is shown first."""

    metric: str
    slices: tuple[str, ...] = ()
    resamples: int = Field(default=1000, ge=100, le=100_000)


class Gates(Section):
    """What a version must reach before it may move to Production; docs/gate.md explains each.

    Margins are in the unit of the main metric: by how much a challenger may be worse than the
    champion and still count as just as good.
    """

    minimum: dict[str, float] = {}
    maximum: dict[str, float] = {}
    min_rows: int = Field(default=100, ge=2)
    min_class_rows: int = Field(default=10, ge=0, description="holdout rows of the rarest class")
    margin: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    slice_margin: float = Field(default=0.03, ge=0, allow_inf_nan=False)
    slice_min_rows: int = Field(default=200, ge=2)
    max_latency_ms: float = Field(default=50, gt=0, allow_inf_nan=False)
    max_size_mb: float = Field(default=200, gt=0, allow_inf_nan=False)

    @property
    def limited(self) -> bool:
        """Whether a metric has an absolute limit; without one the baseline stands in its place."""
        return bool(self.minimum or self.maximum)


Signal = Literal["columns", "prediction", "label", "performance", "schema"]


class Monitoring(Section):
    """How a window of predictions is judged, and when that is an alarm; docs/monitoring.md.

    Effects are Jensen-Shannon distances between 0 and 1; the margin is in the unit of the main
    metric.
    """

    reference_rows: int = Field(default=10_000, ge=100)
    every: Literal["day", "week", "month"] = "month"
    min_rows: int = Field(default=200, ge=1)
    effect_limit: float = Field(default=0.1, gt=0, lt=1)
    effect_limits: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}
    alpha: float = Field(default=0.01, gt=0, lt=1)
    alarm_windows: int = Field(default=2, ge=1)
    of_last: int = Field(default=3, ge=1)
    cool_down: int = Field(default=3, ge=0)
    min_labels: int = Field(default=100, ge=2)
    min_label_coverage: float = Field(default=0.5, gt=0, le=1)
    performance_margin: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    slices: tuple[str, ...] | None = None
    retrain_on: tuple[Signal, ...] = ("performance",)
    alert_on: tuple[Signal, ...] = get_args(Signal)

    @model_validator(mode="after")
    def _enough_windows(self) -> Self:
        if self.alarm_windows > self.of_last:
            raise ValueError(
                f"alarm_windows {self.alarm_windows} can't be above of_last {self.of_last}"
            )
        return self


class Retraining(Section):
    """When and on what a retraining may run; docs/retraining.md.

    The label shift is a Jensen-Shannon distance between 0 and 1, as in monitoring; the share of one
    API key is of all labels.
    """

    window_days: int = Field(default=365, ge=1)
    min_labels: int = Field(default=1000, ge=1)
    cool_down_days: float = Field(default=7, ge=0, allow_inf_nan=False)
    max_label_shift: float = Field(default=0.2, gt=0, le=1)
    max_key_share: float = Field(default=0.5, gt=0, le=1)
    max_hours: float = Field(default=6, gt=0, allow_inf_nan=False)


# Of those due at once, in this order.
Job = Literal["feedback", "pipeline", "monitor", "retrain", "maintain"]
# What every cron knows; Kubernetes has neither `L` nor `#`.
CRON = re.compile(r"[\d*/,A-Za-z-]+(?: [\d*/,A-Za-z-]+){4}")


class Schedule(Section):
    """When each job runs, in the use case's time zone; a job that is left out does not run.

    Cron expressions have five fields: minute, hour, day, month, weekday. docs/schedule.md. Without
    `look_back` it follows from the length of the declared windows.
    """

    feedback: str | None = None
    pipeline: str | None = None
    monitor: str | None = None
    retrain: str | None = None
    maintain: str | None = None
    labels: str | None = Field(default=None, pattern=r"\.(csv|parquet)$")
    look_back: int | None = Field(default=None, ge=1, le=1000)
    attempts: int = Field(default=3, ge=1, le=20)
    retry_s: float = Field(default=60, gt=0, allow_inf_nan=False)
    deadline_s: float = Field(default=3600, gt=0, allow_inf_nan=False)

    @property
    def jobs(self) -> dict[Job, str]:
        """The jobs that run, each with its cron expression."""
        names: tuple[Job, ...] = get_args(Job)
        return {name: cron for name in names if (cron := getattr(self, name)) is not None}

    @field_validator(*get_args(Job))
    @classmethod
    def _is_cron(cls, cron: str | None) -> str | None:
        if cron is not None and not CRON.fullmatch(cron):
            raise ValueError(
                "minute, hour, day, month and weekday are needed, e.g. '15 2 * * *' for a quarter "
                "past two each day"
            )
        return cron

    @model_validator(mode="after")
    def _labels_come_from_somewhere(self) -> Self:
        if self.feedback is not None and self.labels is None:
            raise ValueError("feedback needs labels, the files that hold them, e.g. inbox/*.csv")
        return self


class Serving(Section):
    """How the service may run a version."""

    allow_sklearn: bool = False


class Privacy(Section):
    """How long predictions and feedback are kept, days; None: for ever. docs/feedback.md."""

    retention_days: int | None = Field(default=None, ge=1)


class Release(Section):
    """Who lets a version that passed the gate reach Production, and how fast it must prove itself.

    With `manual` it waits in Staging until a person promotes it, who is not the one that trained
    it unless `self_approval` says so. MLflow's server must have proven who both are; with
    `unproven` the names that an environment claims will do.
    """

    approval: Literal["auto", "manual"] = "auto"
    self_approval: bool = False
    unproven: bool = False
    check_s: float = Field(default=60, gt=0, description="deadline of the release check, seconds")


class Card(Section):
    """What the model card says and no computation can know."""

    intended_use: str = ""
    out_of_scope: str = ""
    limits: tuple[str, ...] = ()


class UseCase(Section):
    """A prediction problem: data, model, gates and operation in one frozen value."""

    name: Name
    title: str
    description: str = ""
    owner: str = ""
    task: Task
    source: Source
    keys: tuple[str, ...]
    event_time: str | None = None
    time_zone: str = "UTC"
    target: str
    weight: str | None = None
    positive: Scalar | None = None
    columns: dict[str, Column]
    derived: dict[str, Derived] = {}
    expectations: tuple[Expectation, ...] = ()
    validation: Validation = Validation()
    split: Split
    estimator: Estimator
    evaluation: Evaluation
    gates: Gates = Gates()
    release: Release = Release()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    schedule: Schedule = Schedule()
    serving: Serving = Serving()
    privacy: Privacy = Privacy()
    card: Card = Card()

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

    @property
    def apart(self) -> frozenset[str]:
        """Columns that no model sees as they are: keys, event time, target, weight and group."""
        group = self.split.column if isinstance(self.split, GroupSplit) else None
        names = (*self.keys, self.event_time, self.target, self.weight, group)
        return frozenset(name for name in names if name is not None)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns that a caller must send, in declared order: those that the model sees as they
        are, and those from which something is computed."""
        read = {name for declared in self.derived.values() for name in declared.of}
        return tuple(
            name
            for name, column in self.columns.items()
            if column.parts or name in read or (column.feature and name not in self.apart)
        )

    @property
    def features(self) -> tuple[str, ...]:
        """What the model sees, in declared order: columns as they were sent, each before its
        parts, then derived columns. contract.use_case.features computes them."""
        return tuple(self.feature_columns)

    @property
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
                found[own] = known[own] = _part_column(part, name, column)
        for name, declared in self.derived.items():
            known[name] = _derived_column(declared, [known[n] for n in declared.of if n in known])
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
        """What a step depends on, as plain values, for its cache key: sections, or a key of one.

        `columns` names a whole section, `monitoring.reference_rows` one key.
        """
        parts = [name.partition(".") for name in ("name", "task", *names)]
        include: dict[str, Any] = {part: {key} if key else True for part, _, key in parts}
        return self.model_dump(mode="json", include=include)


def _part_column(part: Part, source: str, column: Column) -> Column:
    """A part of a time as a column."""
    counted = PARTS[part]
    return Column(
        type="integer",
        description=f"{counted.says} of {source}",
        nullable=column.nullable,
        min=counted.low,
        max=counted.high,
        personal=column.personal,
        log=_logged_of([column]),
    )


def _derived_column(declared: Derived, sources: list[Column]) -> Column:
    """A derived column as one of its own; of a person where one of its sources is."""
    function = FUNCTIONS[declared.function]
    given: ColumnType = function.gives
    nullable = function.partial or any(column.nullable for column in sources)
    return Column(
        type=given,
        description=declared.description,
        unit=declared.unit or "",
        nullable=nullable and declared.missing is None,
        categories=bin_names(declared) if declared.edges and given == "string" else None,
        encode=declared.encode if given == "string" else None,
        personal=any(column.personal for column in sources),
        log=_logged_of(sources),
    )


def _logged_of(sources: list[Column]) -> Logged:
    """Whether the log lets it be computed again: only where it holds every source as sent."""
    return "keep" if all(column.logged == "keep" for column in sources) else "drop"
