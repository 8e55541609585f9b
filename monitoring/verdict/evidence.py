"""What a window says by itself, and the verdict on it: plain frozen values."""

from dataclasses import dataclass
from typing import Literal

from contract.use_case.model import Monitoring

State = Literal[
    "NO_DATA", "NO_REFERENCE", "NOT_ENOUGH_DATA", "SCHEMA_CHANGED", "DRIFT", "WATCH", "OK"
]
Role = Literal["columns", "prediction", "label"]
UNJUDGED: tuple[State, ...] = ("NO_DATA", "NO_REFERENCE", "NOT_ENOUGH_DATA")


@dataclass(frozen=True)
class ColumnChange:
    """How far one column of a window lies from the reference, and how surely."""

    name: str
    role: Role
    effect: float
    p_value: float
    told: str = ""  # what changed, in words: "mean 41.3 → 76.2"


@dataclass(frozen=True)
class ColumnFinding:
    """A change beside its limit; `adjusted` is the p-value after the correction."""

    change: ColumnChange
    limit: float
    adjusted: float
    drifted: bool

    @property
    def signal(self) -> str:
        """What earlier and later windows know it by."""
        role = self.change.role
        return f"columns:{self.change.name}" if role == "columns" else role


@dataclass(frozen=True)
class PerformanceFall:
    """The main metric in a window against the reference; a fall above zero is worse.

    Intervals are at 95 %. `low` and `high` bound the fall, `value_low` and `value_high` the value.
    """

    metric: str
    reference: float
    value: float
    value_low: float
    value_high: float
    low: float
    high: float
    rows: int  # answered
    labels: int  # of them, with a label; of an estimate: the rows it rests on

    @property
    def coverage(self) -> float:
        """Share of the answered rows whose label has arrived."""
        return self.labels / self.rows if self.rows else 0.0

    def enough(self, policy: Monitoring) -> bool:
        """Whether the labels that have arrived may speak for the window."""
        return self.labels >= policy.min_labels and self.coverage >= policy.min_label_coverage

    def certain(self, policy: Monitoring) -> bool:
        """Whether the whole interval of the fall lies beyond the margin."""
        return self.low > policy.performance_margin


@dataclass(frozen=True)
class WindowEvidence:
    """All that one window says by itself."""

    rows: int
    findings: tuple[ColumnFinding, ...] = ()
    realised: PerformanceFall | None = None  # None: no label has arrived
    estimated: PerformanceFall | None = None  # None: nothing to estimate from
    schema: tuple[str, ...] = ()  # columns that are missing or have another type, in words
    reference: bool = True  # whether there is something to compare with

    def labelled(self, policy: Monitoring) -> bool:
        """Whether labels enough have arrived to judge performance and the labels themselves."""
        return self.realised is not None and self.realised.enough(policy)


@dataclass(frozen=True)
class PastVerdict:
    """What the verdict on an earlier window was."""

    signals: frozenset[str]
    alarms: frozenset[str]


@dataclass(frozen=True)
class DriftVerdict:
    """What is so, and why in sentences, the weightiest first.

    `signals` fired in this window; `drifting` fired often enough; `alarms` are those of them that
    were not raised lately. A signal is columns:<name>, prediction, label, performance or schema.
    Without labels enough (`labelled`) silence of label and performance means nothing.
    """

    state: State
    reasons: tuple[str, ...]
    signals: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    labelled: bool = False
