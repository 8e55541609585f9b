"""Features of whole tables: what contract.use_case.features says of rows, in columns of Arrow."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from contract.store.schema import TYPES
from contract.use_case.features import FeatureDerivation, derivation
from contract.use_case.model import UseCase

CHUNK_ROWS = 50_000  # bounds the memory of plain values, whatever the rows of a table
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def feature_rows(
    rows: pa.Table, use_case: UseCase, wanted: Sequence[str] | None = None
) -> pa.Table:
    """The `wanted` features, all of them if None, of rows that hold what was sent, in their types.

    KeyError where the rows lack a column from which one of them is computed.
    """
    columns = use_case.feature_columns
    names = list(columns) if wanted is None else wanted
    derive = derivation(use_case, names)
    if derive is None:
        return rows.select(names)
    computed = [name for name in names if name not in use_case.columns]
    schema = pa.schema([(name, TYPES[columns[name].type]) for name in computed])
    starts = range(0, max(rows.num_rows, 1), CHUNK_ROWS)
    parts = [_computed(rows.slice(start, CHUNK_ROWS), derive, schema) for start in starts]
    found = pa.concat_tables(parts)
    return pa.table({name: (found if name in computed else rows).column(name) for name in names})


def column_of(rows: pa.Table, use_case: UseCase, name: str) -> pa.ChunkedArray:
    """A column of rows that hold what was sent: one of theirs, or a feature computed from them."""
    if name in rows.column_names:
        return rows.column(name)
    return feature_rows(rows, use_case, [name]).column(name)


def plain_values(column: pa.ChunkedArray) -> list[Any]:
    """The values of a column as a caller sends them; times are aware datetimes in UTC."""
    if not pa.types.is_timestamp(column.type):
        values: list[Any] = column.to_pylist()
        return values
    # Twice as fast as pyarrow's own, and of every year.
    moments = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_pylist()
    return [None if m is None else EPOCH + timedelta(microseconds=m) for m in moments]


def _computed(rows: pa.Table, derive: FeatureDerivation, schema: pa.Schema) -> pa.Table:
    found = derive({name: plain_values(rows.column(name)) for name in derive.reads})
    return pa.table([pa.array(found[f.name], f.type) for f in schema], schema=schema)
