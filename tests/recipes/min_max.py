"""A min-max scaler: each column times a factor, and something added."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipelines.compiler.columns import Column, LookupTable, ScalingStage, refused


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """Scaled columns; Refused where one is text, or where values are cut at the ends."""
    if step.clip:
        raise refused(name, step, "clip=True cuts values off")
    scaled: list[Column] = []
    for column, factor, added in zip(columns, step.scale_, step.min_, strict=True):
        shift, scale = float(-added / factor), float(1 / factor)
        if isinstance(column, LookupTable):
            scaled.append(replace(column, values=tuple((v - shift) / scale for v in column.values)))
        elif column.text:
            raise refused(name, step, f"{column.feature!r} is text")
        else:
            stage = ScalingStage(shift=shift, scale=scale)
            scaled.append(replace(column, stages=(*column.stages, stage)))
    return scaled
