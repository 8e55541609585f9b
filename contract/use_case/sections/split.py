"""Which rows are learned from and which are held out: by time, group or chance."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from contract.use_case.sections.section import Section


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
