"""How a window of answers is judged."""

from typing import Annotated, Literal, Self, get_args

from pydantic import (
    Field,
    model_validator,
)

from contract.use_case.sections.section import Section

Signal = Literal["columns", "prediction", "label", "performance", "schema"]


class Monitoring(Section):
    """How a window of predictions is judged, and when that is an alarm; docs/monitoring.md.

    Effects are in the unit of `distance`, 0 for samples alike; the margin is in that of the main
    metric.
    """

    reference_rows: int = Field(default=10_000, ge=100)
    """Rows of the training sample that is frozen with a version to compare with."""
    every: Literal["day", "week", "month"] = "month"
    """Length of the declared window."""
    min_rows: int = Field(default=200, ge=1)
    """Rows that a window needs to be judged."""
    distance: str = "jensen_shannon"
    """How far two samples lie apart: `jensen_shannon` (0 to 1), or `psi`, the population stability
    index (0 and above)."""
    effect_limit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Distance from which a column may count as drifted; left out, 0.1 of `jensen_shannon` and 0.2
    of `psi`."""
    effect_limits: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
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
