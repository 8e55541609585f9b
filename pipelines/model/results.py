"""What training and evaluation leave behind for the steps after them, and for the model card."""

from math import isfinite
from typing import Any

from pydantic import BaseModel, ConfigDict

from contract.store.tables import TableVersion
from pipelines.runtime.console import count
from pipelines.runtime.step import Result
from serving.scoring.own_code import OwnClass

Measured = tuple[float, float, float]  # value, lower and upper end of its 95 % interval


class Trained(Result):
    """A candidate: fitted and logged, not registered."""

    run_id: str
    model_uri: str
    estimator: str
    parameters: dict[str, Any]
    training: TableVersion
    holdout: TableVersion
    prediction_hash: str  # SHA-256 of the answers on the holdout, bit for bit
    tune: int
    code_hash: str = ""  # SHA-256 of the file of the user's own class
    path: str = ""  # of the estimator, as the use case declared it

    @property
    def own_class(self) -> OwnClass | None:
        """The user's own class that it is of; None: it is of a library's."""
        return OwnClass(self.path, self.code_hash) if self.code_hash else None

    def line(self) -> str:
        tuned = f", best of {self.tune} trials" if self.tune else ""
        return f"{self.estimator} on {count(self.training.rows)} rows{tuned}"

    def tables(self) -> tuple[TableVersion, ...]:
        return (self.training, self.holdout)

    def artifacts(self) -> tuple[str, ...]:
        return (self.model_uri,)


class Figure(BaseModel):
    """A measured value with its 95 % interval."""

    model_config = ConfigDict(frozen=True)
    value: float
    low: float
    high: float

    @property
    def measured(self) -> Measured:
        """The three numbers in order."""
        return self.value, self.low, self.high


class HoldoutSlice(BaseModel):
    """The main metric on the holdout rows that share a value of a column."""

    model_config = ConfigDict(frozen=True)
    column: str
    value: str
    rows: int
    figure: Figure | None  # None: too few rows to say


class Evaluated(Result):
    """How good a candidate is."""

    run_id: str
    metric: str
    holdout: TableVersion
    figures: dict[str, Figure]
    baseline: dict[str, float]
    champion: str  # version it was compared with, or none
    champion_figures: dict[str, float]
    slices: tuple[HoldoutSlice, ...]
    importance: dict[str, Measured]  # mean, least and greatest loss of the shuffles

    def line(self) -> str:
        main = self.figures[self.metric]
        others = f"baseline {self.baseline[self.metric]:.3f}"
        if self.metric in self.champion_figures:
            others += f", champion v{self.champion} {self.champion_figures[self.metric]:.3f}"
        return f"{self.metric} {main.value:.3f} [{main.low:.3f}, {main.high:.3f}], {others}"

    def metrics(self) -> dict[str, float]:
        """Every finite figure under the name that it has in the run; the card shows the same."""
        found: dict[str, float] = {}
        for name, figure in self.figures.items():
            ends = {"": figure.value, "_low": figure.low, "_high": figure.high}
            found |= {f"holdout/{name}{end}": value for end, value in ends.items()}
        for group, values in (("baseline", self.baseline), ("champion", self.champion_figures)):
            found |= {f"{group}/{name}": value for name, value in values.items()}
        return {name: value for name, value in found.items() if isfinite(value)}

    def tables(self) -> tuple[TableVersion, ...]:
        return (self.holdout,)
