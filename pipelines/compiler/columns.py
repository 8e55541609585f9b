"""The columns of a scorer's matrix: each depends on one feature alone.

A column is either a number as it comes, filled, shifted and scaled, or a table that gives a number
for each known value, for any unseen one and for null.
"""

import math
from dataclasses import dataclass
from typing import Any

from contract.errors import Refused
from contract.use_case.model import UseCase


@dataclass(frozen=True)
class ScalingStage:
    """Fill NaN, subtract, divide, in this order; the defaults change nothing."""

    fill: Any = math.nan
    shift: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True)
class RawFeature:
    """A feature as it comes, or whether it is missing, then stages."""

    feature: str
    text: bool
    missing: bool = False
    stages: tuple[ScalingStage, ...] = ()


@dataclass(frozen=True)
class LookupTable:
    """A number for each of `keys`, then one for any unseen value and one for null."""

    feature: str
    keys: tuple[Any, ...]
    values: tuple[float, ...]


Column = RawFeature | LookupTable


def features_of(use_case: UseCase) -> list[Column]:
    """The use case's features in declared order, before any encoder."""
    return [RawFeature(n, c.type == "string") for n, c in use_case.feature_columns.items()]


def refused(name: str, step: Any, why: str) -> Refused:
    """The error for a step that can't be compiled: its name, its kind and `why`."""
    return Refused(f"Step {name!r} ({type(step).__name__}) can't be compiled: {why}.")


def is_null(value: Any) -> bool:
    """Whether a category or a fill value stands for what is missing."""
    return value is None or (isinstance(value, float) and math.isnan(value))
