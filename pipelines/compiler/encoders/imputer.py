"""A simple imputer: fills what is missing, and tells where it was where that is asked for."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipelines.compiler.columns import (
    Column,
    LookupTable,
    RawFeature,
    ScalingStage,
    is_null,
    refused,
)


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """Filled columns, then those of what was missing; Refused where that is not null."""
    if not is_null(step.missing_values):
        raise refused(name, step, f"missing_values is {step.missing_values!r}, only null is known")
    filled: list[Column] = []
    for column, fill in zip(columns, step.statistics_.tolist(), strict=True):
        if is_null(fill):
            continue  # nothing was there to learn from: the column is left out
        filled.append(_filled(step, column, fill))
    if step.indicator_ is not None:
        filled += [_is_missing(columns[i]) for i in step.indicator_.features_]
    return filled


def _filled(step: Any, column: Column, fill: Any) -> Column:
    if isinstance(column, LookupTable):
        return replace(column, values=tuple(fill if math.isnan(v) else v for v in column.values))
    if column.text and step.missing_values is not None:
        return column  # null in text is None, which this imputer takes for a value
    return replace(column, stages=(*column.stages, ScalingStage(fill=fill)))


def _is_missing(column: Column) -> Column:
    if isinstance(column, LookupTable):
        return replace(column, values=tuple(float(math.isnan(v)) for v in column.values))
    if column.text:
        return LookupTable(column.feature, (), (0.0, 1.0))
    return RawFeature(column.feature, text=False, missing=True)
