"""The type of a column that Parquet or JSON gives: its Arrow type, which the reader casts from."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.proposing.columns.types import TypedColumn
from pipelines.proposing.inferred import Inferred, LeftOut
from pipelines.proposing.writing.clock_form import ClockForm

ISO = ClockForm(Inferred(None, ""))
LARGEST = 2**63 - 1


def typed_values(name: str, values: pa.ChunkedArray) -> TypedColumn | LeftOut:
    """A column (n_rows,) in a type of ours; LeftOut where no column holds such values."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind, why = values.type, f"{values.type} in the file"
    if pa.types.is_null(kind):
        return LeftOut(name, "no row has a value")
    if pa.types.is_boolean(kind):
        return TypedColumn(name, Inferred("boolean", why), values)
    if pa.types.is_integer(kind):
        if (pc.max(values).as_py() or 0) > LARGEST:
            return LeftOut(name, f"{kind} in the file, some beyond {LARGEST}, the largest integer")
        return TypedColumn(name, Inferred("integer", why), values.cast(pa.int64()))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = values.cast(pa.float64())
        absent = pc.is_nan(numbers)  # as pandas writes a missing number
        numbers = pc.if_else(absent, pa.scalar(None, pa.float64()), numbers)
        return TypedColumn(name, Inferred("number", why), numbers)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        naive = not (pa.types.is_timestamp(kind) and kind.tz)
        moments = values.cast(pa.timestamp("us", None if naive else "UTC"), safe=False)
        return TypedColumn(name, Inferred("timestamp", why), moments, clock=ISO, naive=naive)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return TypedColumn(name, Inferred("string", why), values.cast(pa.string()))
    return LeftOut(name, f"{kind} in the file, which no column holds")
