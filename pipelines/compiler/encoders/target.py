"""A target encoder: for each value of a feature the mean of the target, or of each class."""

from collections.abc import Sequence
from typing import Any

from pipelines.compiler.columns import Column
from pipelines.compiler.encoders.lookup import looked_up


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """A table of means for each column, of a multiclass target one for each class."""
    each = len(step.encodings_) // len(columns)
    return looked_up(name, step, columns, [at for at in range(len(columns)) for _ in range(each)])
