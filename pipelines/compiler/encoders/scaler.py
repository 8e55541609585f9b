"""A standard scaler: each column less its mean, divided by its standard deviation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.compiler.columns import Column, LookupTable, ScalingStage, refused


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """Scaled columns; Refused where one is text."""
    nothing = np.zeros(len(columns))
    shift = nothing if step.mean_ is None or not step.with_mean else step.mean_
    scale = nothing + 1 if step.scale_ is None else step.scale_
    scaled: list[Column] = []
    for column, a, b in zip(columns, shift.tolist(), scale.tolist(), strict=True):
        if isinstance(column, LookupTable):
            scaled.append(replace(column, values=tuple((v - a) / b for v in column.values)))
        elif column.text:
            raise refused(name, step, f"{column.feature!r} is text")
        else:
            scaled.append(replace(column, stages=(*column.stages, ScalingStage(shift=a, scale=b))))
    return scaled
