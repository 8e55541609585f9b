"""Rows that come as a pandas frame, as an arrow table: exactly, or refused by the column's name."""

from collections.abc import Collection

import pandas as pd
import pyarrow as pa

from contract.errors import BadInput


def from_pandas(frame: pd.DataFrame, declared: Collection[str]) -> pa.Table:
    """The columns of a frame without its index; missing values of every kind are null.

    An undeclared column that no table holds is left out. BadInput names a declared one.
    """
    names, arrays = [], []
    for at, name in enumerate(map(str, frame.columns)):
        try:
            arrays.append(_array(frame.iloc[:, at], name))
        except BadInput:
            if name in declared:
                raise
        else:
            names.append(name)
    return pa.table(arrays, names=names)


def _array(values: pd.Series, name: str) -> pa.Array:
    if isinstance(values.dtype, pd.SparseDtype):
        values = pd.Series(values.sparse.to_dense())  # type: ignore[attr-defined]
    if isinstance(values.dtype, pd.PeriodDtype | pd.IntervalDtype):
        raise BadInput(
            f"source.python: column {name!r} holds {values.dtype}, which is no single value; in "
            "the loader say which, e.g. .dt.start_time or .array.left."
        )
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise BadInput(_mixture(values, name)) from None
    except OverflowError:
        raise BadInput(
            f"source.python: column {name!r} holds integers beyond 64 bits; deliver them as text."
        ) from None
    except UnicodeError:
        raise BadInput(
            f"source.python: column {name!r} holds text that is no Unicode (a lone surrogate), "
            f"first in row {_first_broken(values)}; decode it in the loader."
        ) from None


def _mixture(values: pd.Series, name: str) -> str:
    """The sentence about a column of several types, with the first row of the second type."""
    kinds = [
        (row, type(value).__name__)
        for row, value in enumerate(values)
        if not (pd.api.types.is_scalar(value) and pd.isna(value))
    ]
    first = kinds[0][1] if kinds else str(values.dtype)
    row, other = next(((row, kind) for row, kind in kinds if kind != first), (0, ""))
    if not other:
        return f"source.python: column {name!r} holds {first}, which no table of ours does."
    return (
        f"source.python: column {name!r} holds {first}, and in row {row} {other}; one type is "
        "needed, which the loader must choose: 02134 and 2134 may be one code or two."
    )


def _first_broken(values: pd.Series) -> int:
    def broken(value: object) -> bool:
        return isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value)

    return next(row for row, value in enumerate(values) if broken(value))
