"""An ordinal encoder: one column of codes for each feature."""

from collections.abc import Sequence
from typing import Any

from pipelines.compiler.columns import Column
from pipelines.compiler.encoders.lookup import looked_up


def encode(name: str, step: Any, columns: Sequence[Column]) -> list[Column]:
    """A table of codes for each column."""
    return looked_up(name, step, columns, range(len(columns)))
