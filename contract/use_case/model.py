"""The use case: one YAML file from which every other description of the data and model derives."""

import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
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
from contract.use_case.derived import Derived, Part
from contract.use_case.estimator import Encoding, Estimator, Scalar
from contract.use_case.functions import FUNCTIONS, PARTS, bin_names
from contract.use_case.section import Section
from contract.use_case.source import CsvFormat, Source

ColumnType = Literal["string", "integer", "number", "boolean", "timestamp"]
Task = Literal["binary", "multiclass", "regression"]
Logged = Literal["keep", "hash", "drop"]
# In place of names of keys: a row is named by the hash of its cells; docs/row-hash.md.
BY_ROW_HASH = "row_hash"
KEYS_IN_JSON = {
    "anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"const": BY_ROW_HASH}]
}
# Type and encoding of the columns whose rarer values may share one code.
LIMITED = {("string", None), ("string", "one-hot"), ("string", "ordinal")}
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]


class Column(Section):
    """One column, as everybody who handles it must know it."""

    type: ColumnType
    """What its values are."""
    description: str = ""
    """What it means, for people: in the API's documentation, the model card and `datasets`."""
    unit: str = ""
    """Unit of its values; of a timestamp given as a number `s`, `ms`, `us` or `ns`."""
    nullable: bool = False
    """Whether a value may be missing."""
    min: float | None = None
    """Smallest value that is expected; a row below it goes to quarantine."""
    max: float | None = None
    """Largest value that is expected; a row above it goes to quarantine."""
    categories: tuple[str, ...] | None = None
    """The words that are expected; with `unseen: reject` a row with another is set apart."""
    encode: Encoding | None = None
    """How words become numbers; left out, as the estimator knows them, else one-hot."""
    max_categories: int | None = Field(default=None, ge=2, le=1000)
    """How many words get a code of their own at most; the rarer ones share one."""
    unseen: Literal["allow", "reject"] = "allow"
    """What the service does with a word that training did not see."""
    out_of_range: Literal["allow", "reject"] = "allow"
    """What the service does with a value below `min` or above `max`."""
    personal: bool = False
    """Whether it is about a person; the log then holds a keyed hash."""
    log: Logged | None = None
    """What of it the log holds; left out, `hash` for a personal column and else `keep`."""
    parts: tuple[Part, ...] = ()
    """Parts of a time that the model sees, in the use case's zone: a feature for each."""
    feature: bool = True
    """Whether the model sees the column as it is, beside what is computed from it."""

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
    """The class name of a Great Expectations expectation."""
    severity: Literal["critical", "warning"] = "warning"
    """Whether its failure stops the run or is only reported."""
    arguments: dict[str, object] = {}
    """Its arguments, as Great Expectations names them."""


class Validation(Section):
    """How much bad data a delivery may hold."""

    min_rows: int = Field(default=100, ge=1)
    """Rows that a delivery needs at least."""
    max_quarantined_share: float = Field(default=0.01, ge=0, le=1)
    """Share of rows in quarantine above which the run stops."""


class TimeSplit(Section):
    """Train on the past, hold out the newest labelled slice. Bounds are [from, until)."""

    by: Literal["time"]
    """Split by event time."""
    train_from: date | None = None
    """First day of training; left out, the first there is."""
    train_until: date | None = None
    """First day after training, and first day of the holdout."""
    holdout_until: date | None = None
    """First day after the holdout; left out, the holdout ends with the newest row."""
    holdout_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of the newest rows that is held out where `train_until` is left out."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        bounds = [b for b in (self.train_from, self.train_until, self.holdout_until) if b]
        if any(a >= b for a, b in pairwise(bounds)):
            raise ValueError("train_from < train_until < holdout_until is needed")
        return self


class GroupSplit(Section):
    """Whole groups go to one side, drawn by a hash of the group; the share is of groups, about."""

    by: Literal["group"]
    """Split by group."""
    column: str
    """The column whose equal values stay together."""
    holdout_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of groups that is held out, about."""
    seed: int = 0
    """Another number draws other groups."""


class RandomSplit(Section):
    """Rows drawn by a seeded hash of their key, so each stays on its side; the share is about."""

    by: Literal["random"]
    """Split by chance."""
    holdout_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of rows that is held out, about."""
    seed: int = 0
    """Another number draws other rows."""


Split = Annotated[TimeSplit | GroupSplit | RandomSplit, Field(discriminator="by")]


class Evaluation(Section):
    """What is measured on the holdout. The first metric decides, tunes and is shown first."""

    metric: str
    """The metric that decides, tunes and is shown first."""
    slices: tuple[str, ...] = ()
    """Columns whose values are measured one by one."""
    resamples: int = Field(default=1000, ge=100, le=100_000)
    """Bootstrap resamples behind each interval."""


class Gates(Section):
    """What a version must reach before it may move to Production; docs/gate.md explains each.

    Margins are in the unit of the main metric: by how much a challenger may be worse than the
    champion and still count as just as good.
    """

    minimum: dict[str, float] = {}
    """Metrics and the least that a version must reach; without any limit, the baseline."""
    maximum: dict[str, float] = {}
    """Metrics and the most that they may be."""
    min_rows: int = Field(default=100, ge=2)
    """Holdout rows that the decision needs."""
    min_class_rows: int = Field(default=10, ge=0)
    """Holdout rows of the rarest class that it needs; 0: not asked."""
    margin: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    """How much worse than the champion a version may be, in the unit of the main metric."""
    slice_margin: float = Field(default=0.03, ge=0, allow_inf_nan=False)
    """The same for a slice."""
    slice_min_rows: int = Field(default=200, ge=2)
    """Rows from which a slice has a veto."""
    max_latency_ms: float = Field(default=50, gt=0, allow_inf_nan=False)
    """Largest 99th percentile of the time for one row, milliseconds."""
    max_size_mb: float = Field(default=200, gt=0, allow_inf_nan=False)
    """Largest size of what is served, megabytes."""

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
    """Rows of the training sample that is frozen with a version to compare with."""
    every: Literal["day", "week", "month"] = "month"
    """Length of the declared window."""
    min_rows: int = Field(default=200, ge=1)
    """Rows that a window needs to be judged."""
    effect_limit: float = Field(default=0.1, gt=0, lt=1)
    """Distance from which a column may count as drifted."""
    effect_limits: dict[str, Annotated[float, Field(gt=0, le=1)]] = {}
    """Limits of single columns, or of `prediction` and `label`."""
    alpha: float = Field(default=0.01, gt=0, lt=1)
    """False discovery rate over all columns of a window."""
    alarm_windows: int = Field(default=2, ge=1)
    """In how many of the last windows a signal must be seen for an alarm."""
    of_last: int = Field(default=3, ge=1)
    """How many windows are looked back at."""
    cool_down: int = Field(default=3, ge=0)
    """Windows without a second alarm of the same signal."""
    min_labels: int = Field(default=100, ge=2)
    """Labels that a judgement of performance needs."""
    min_label_coverage: float = Field(default=0.5, gt=0, le=1)
    """Share of a window's rows that must have their label."""
    performance_margin: float = Field(default=0.02, ge=0, allow_inf_nan=False)
    """Fall of the main metric that is accepted, in its unit."""
    slices: tuple[str, ...] | None = None
    """Columns whose values are shown one by one; left out, those of `evaluation`."""
    retrain_on: tuple[Signal, ...] = ("performance",)
    """Signals that start a retraining."""
    alert_on: tuple[Signal, ...] = get_args(Signal)
    """Signals that people are told of."""

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
    """How far back labelled answers are learned from, days."""
    min_labels: int = Field(default=1000, ge=1)
    """New labelled rows that a retraining needs."""
    cool_down_days: float = Field(default=7, ge=0, allow_inf_nan=False)
    """Shortest time between two retrainings, days."""
    max_label_shift: float = Field(default=0.2, gt=0, le=1)
    """Distance of new labels from old ones above which a person must look."""
    max_key_share: float = Field(default=0.5, gt=0, le=1)
    """Share of labels from one API key above which a person must look."""
    max_hours: float = Field(default=6, gt=0, allow_inf_nan=False)
    """How long a retraining may hold its lease, hours."""


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
    """When label files are imported."""
    pipeline: str | None = None
    """When rows are collected and a version is trained."""
    monitor: str | None = None
    """When windows are judged."""
    retrain: str | None = None
    """When the verdicts are asked whether to train again."""
    maintain: str | None = None
    """When tables are compacted and old rows end."""
    labels: str | None = Field(default=None, pattern=r"\.(csv|parquet)$")
    """Files that the import reads: a pattern, from the folder of the use case's tables."""
    look_back: int | None = Field(default=None, ge=1, le=1000)
    """How many ended windows are looked at again for late labels."""
    attempts: int = Field(default=3, ge=1, le=20)
    """Tries of a job in a row before it counts as failed."""
    retry_s: float = Field(default=60, gt=0, allow_inf_nan=False)
    """Shortest time between two tries, seconds; it doubles with each."""
    deadline_s: float = Field(default=3600, gt=0, allow_inf_nan=False)
    """How long a job may take, seconds."""

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
    """Whether a pipeline that can't be compiled may be served by scikit-learn itself."""


class Privacy(Section):
    """How long predictions and feedback are kept, days; None: for ever. docs/feedback.md."""

    retention_days: int | None = Field(default=None, ge=1)
    """Days that predictions and feedback are kept; left out, for ever."""


class Release(Section):
    """Who lets a version that passed the gate reach Production, and how fast it must prove itself.

    With `manual` it waits in Staging until a person promotes it, who is not the one that trained
    it unless `self_approval` says so. MLflow's server must have proven who both are; with
    `unproven` the names that an environment claims will do.
    """

    approval: Literal["auto", "manual"] = "auto"
    """Whether a version that passed goes live by itself or waits for a person."""
    self_approval: bool = False
    """Whether the one who trained it may approve it."""
    unproven: bool = False
    """Whether names that an environment claims will do, without a sign-in."""
    check_s: float = Field(default=60, gt=0)
    """Deadline of the release check, seconds."""


class Card(Section):
    """What the model card says and no computation can know."""

    intended_use: str = ""
    """What the model is made for."""
    out_of_scope: str = ""
    """What it must not be used for."""
    limits: tuple[str, ...] = ()
    """What a user must know of it, one sentence each."""


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
