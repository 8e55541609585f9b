"""Rows that come as a pandas frame, as an arrow table: exactly, or with why not."""

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
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        raise Misfit(_mixture(values)) from None
    except OverflowError:
        raise Misfit("found integers beyond 64 bits; deliver them as text") from None
    except UnicodeError:
        raise Misfit(
            f"found text that is no Unicode (a lone surrogate), first in row {_broken(values)}; "
            "decode it in the loader"
        ) from None


def _mixture(values: pd.Series) -> str:
    """What a column of several types holds, with the first row of the second."""
    kinds = [
        (row, type(value).__name__)
        for row, value in enumerate(values)
        if not (pd.api.types.is_scalar(value) and pd.isna(value))
    ]
    first = kinds[0][1] if kinds else str(values.dtype)
    row, other = next(((row, kind) for row, kind in kinds if kind != first), (0, ""))
    if not other:
        return f"found {first}, which no table holds"
    return (
        f"found {first}, and in row {row} {other}; one type is needed, which the loader must "
        "choose: 02134 and 2134 may be one code or two"
    )


def _broken(values: pd.Series) -> int:
    """The first row whose text is no Unicode."""

    def broken(value: object) -> bool:
        return isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value)

    return next(row for row, value in enumerate(values) if broken(value))
