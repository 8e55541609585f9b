"""Rows that come as a pandas frame, as an arrow table: exactly, or with why not."""

from collections.abc import Iterator
from datetime import date, datetime

import pandas as pd
import pyarrow as pa

from contract.store.schema import MISFIT, Misfit


def from_pandas(frame: pd.DataFrame) -> pa.Table:
    """The columns of a frame without its index; missing values of every kind are null.

    A column that no table holds has no values, and the reason in its field's metadata: `conform`
    refuses it where it is declared.
    """
    fields, arrays = [], []
    for at, name in enumerate(map(str, frame.columns)):
        try:
            values, note = _array(frame.iloc[:, at]), None
        except Misfit as error:
            values, note = pa.nulls(len(frame)), {MISFIT: str(error)}
        fields.append(pa.field(name, values.type, metadata=note))
        arrays.append(values)
    return pa.table(arrays, schema=pa.schema(fields))


def _array(values: pd.Series) -> pa.Array:
    if isinstance(values.dtype, pd.SparseDtype):
        values = pd.Series(values.sparse.to_dense())  # type: ignore[attr-defined]
    if isinstance(values.dtype, pd.PeriodDtype | pd.IntervalDtype):
        raise Misfit(
            f"found {values.dtype}, which is no single value; let the loader say which, e.g. "
            ".dt.start_time or .array.left"
        )
    try:
        array = pa.array(values, from_pandas=True)
        if values.dtype == object and pa.types.is_temporal(array.type):
            _check_times(values)
        return array
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise Misfit(_mixture(values)) from None
    except OverflowError:
        raise Misfit("found integers beyond 64 bits; deliver them as text") from None
    except UnicodeError:
        raise Misfit(
            f"found text that is no Unicode (a lone surrogate), first in row {_broken(values)}; "
            "decode it in the loader"
        ) from None


def _check_times(values: pd.Series) -> None:
    """Arrow takes a time without a zone beside one with a zone for UTC, and of times beside a date
    the day alone, and cuts what is finer than a microsecond."""
    if len({kind for _, kind in _kinds(values)}) > 1:
        raise Misfit(_mixture(values))
    fine = (row for row, value in enumerate(values) if getattr(value, "nanosecond", 0))
    if (row := next(fine, None)) is not None:
        raise Misfit(f"row {row}: found a time finer than a microsecond; round it in the loader")


def _kinds(values: pd.Series) -> Iterator[tuple[int, str]]:
    """The row and the kind of each value that is not missing."""
    for row, value in enumerate(values):
        if not (pd.api.types.is_scalar(value) and pd.isna(value)):
            yield row, _kind(value)


def _kind(value: object) -> str:
    if isinstance(value, datetime):
        return "a time with a zone" if value.tzinfo else "a time without a zone"
    return "a date" if isinstance(value, date) else type(value).__name__


def _mixture(values: pd.Series) -> str:
    """What a column of several types holds, with the first row of the second."""
    kinds = list(_kinds(values))
    first = kinds[0][1] if kinds else str(values.dtype)
    row, other = next(((row, kind) for row, kind in kinds if kind != first), (0, ""))
    if not other:
        return f"found {first}, which no table holds"
    codes = ": 02134 and 2134 may be one code or two" if "str" in (first, other) else ""
    return (
        f"found {first}, and in row {row} {other}; one type is needed, which the loader must "
        f"choose{codes}"
    )


def _broken(values: pd.Series) -> int:
    """The first row whose text is no Unicode."""

    def broken(value: object) -> bool:
        return isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value)

    return next(row for row, value in enumerate(values) if broken(value))
