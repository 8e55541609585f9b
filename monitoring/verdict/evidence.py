"""What a window says by itself, and the verdict on it: plain frozen values."""

from dataclasses import dataclass
from typing import Literal

from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.compare import ColumnChange
from monitoring.measures.performance import PerformanceFall

State = Literal[
    "NO_DATA", "NO_REFERENCE", "NOT_ENOUGH_DATA", "SCHEMA_CHANGED", "DRIFT", "WATCH", "OK"
]
UNJUDGED: tuple[State, ...] = ("NO_DATA", "NO_REFERENCE", "NOT_ENOUGH_DATA")


@dataclass(frozen=True)
class ColumnFinding:
    """A change with its limit; `adjusted` is the p-value after the correction."""

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

    `signals` drift in this window, `drifting` in enough windows for an alarm; `alarms` are those of
    them that were not raised lately. A signal is columns:<name>, prediction, label, performance or
    schema.
    Without labels enough (`labelled`) silence of label and performance means nothing.
    """

    state: State
    reasons: tuple[str, ...]
    signals: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    labelled: bool = False
