"""What encoders of categories share: their answers, asked value by value, as look-up tables."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipelines.compiler.columns import Column, LookupTable, RawFeature, is_null, refused


def looked_up(
    name: str, step: Any, columns: Sequence[Column], sources: Sequence[int]
) -> list[Column]:
    """Ask the fitted encoder itself for each category, an unseen value and null.

    `sources` tells for each of its output columns which of `columns` it comes from.
    """
    probes = [
        _probe(name, step, column, categories)
        for column, categories in zip(columns, step.categories_, strict=True)
    ]
    longest = max(map(len, probes))
    names = input_names(step, len(columns))
    frame = pd.DataFrame(
        {
            n: pd.Series(p + p[:1] * (longest - len(p)), dtype=_dtype(c))
            for n, p, c in zip(names, probes, columns, strict=True)
        }
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it has not seen, of names
            answer = step.transform(frame)
    except ValueError as error:
        raise refused(
            name, step, f"it has no answer to an unseen or missing value ({error})"
        ) from error
    matrix = np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer, dtype=float)
    tables: list[Column] = []
    for at, source in enumerate(sources):
        probe = probes[source]
        keys = tuple(probe[:-2])
        tables.append(
            LookupTable(columns[source].feature, keys, tuple(matrix[: len(probe), at].tolist()))
        )
    return tables


def input_names(step: Any, n_columns: int) -> list[str]:
    """Names of the input columns of a fitted encoder, made up where it was fitted without any."""
    return list(getattr(step, "feature_names_in_", [f"x{i}" for i in range(n_columns)]))


def _probe(name: str, step: Any, column: Column, categories: Any) -> list[Any]:
    """Categories, an unseen value, and what null has become before this encoder."""
    if isinstance(column, LookupTable) or any(s.shift or s.scale != 1 for s in column.stages):
        raise refused(name, step, f"{column.feature!r} is not as it came when it gets here")
    keys = [key for key in categories.tolist() if not is_null(key)]
    unseen: Any = max(keys, default=0.0) + 1.0 if not column.text else "".join(["unseen ", *keys])
    null = None if column.text else math.nan
    fills = [stage.fill for stage in column.stages if not is_null(stage.fill)]
    return [*keys, unseen, fills[0] if fills else null]


def _dtype(column: Column) -> str:
    return "object" if isinstance(column, RawFeature) and column.text else "float64"
