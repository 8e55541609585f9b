"""What the gate knows of a version: frozen values, in which None is what could not be measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.statistics.metrics import Scored
from pipelines.model.comparison import Comparison


@dataclass(frozen=True)
class Latency:
    """One-row scores of the packaged scorer."""

    calls: int
    median_ms: float
    p99_ms: float


@dataclass(frozen=True)
class NoChampion:
    """The registry says that no version is in Production: the baseline stands in its place.

    `comparison` sets the version beside the baseline; None where that could not be measured.
    """

    comparison: Comparison | None


@dataclass(frozen=True)
class Champion:
    """The version in Production, as the challenger meets it.

    `trained_on` counts the holdout's rows in its training table. `incomparable` says why a
    breaking change leaves nothing to compare; `comparison` is None then.
    """

    version: str
    trained_on: int | None
    breaks: tuple[str, ...] | None
    comparison: Comparison | None
    incomparable: str = ""


@dataclass(frozen=True)
class NoClasses:
    """A regression has none."""


@dataclass(frozen=True)
class RarestClass:
    """The class of the model that the fewest rows of the holdout are labelled with."""

    name: str
    rows: int

    @classmethod
    def of(cls, scored: Scored) -> "RarestClass | NoClasses":
        """The rarest class of answers beside their labels."""
        if not scored.classes:
            return NoClasses()
        rows = {name: int((scored.label == name).sum()) for name in scored.classes}
        rarest = min(rows, key=rows.__getitem__)
        return cls(str(rarest), rows[rarest])


@dataclass(frozen=True)
class GateEvidence:
    """All that the gate knows of a challenger; None is what could not be measured, `problems` say
    why.

    `holdout_hash` is of the rows as they were read, `registered_hash` what the version was
    registered with; `trained_on` counts the holdout's rows in its training table. `figures` and
    `baseline` are metrics on the holdout, of the version and of the constant answer.
    `over_baseline` sets the two side by side where a champion is there and no limit is declared.
    """

    version: str
    problems: tuple[str, ...] | None
    missing_tags: tuple[str, ...] | None
    validation: str | None
    rows: int | None
    rarest: NoClasses | RarestClass | None
    holdout_hash: str | None
    registered_hash: str | None
    trained_on: int | None
    figures: Mapping[str, float] | None
    baseline: Mapping[str, float] | None
    latency: Latency | None
    size_mb: float | None
    opponent: NoChampion | Champion | None
    over_baseline: Comparison | None = None
