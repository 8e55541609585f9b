"""What is measured on the holdout, and what a version must reach there."""

from pydantic import (
    Field,
)

from contract.use_case.sections.section import Section


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
