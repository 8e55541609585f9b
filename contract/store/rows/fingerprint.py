"""Content hashes of rows and tables.

A row's hash covers the values of the declared columns in declared order, and which of them are null
(64 bit, keyed SipHash as in pandas). A table's hash is the SHA-256 of its sorted row hashes: the
same rows in another order are the same content, and a row given twice counts twice. 64 bits tell
apart rows that differ by accident; they are no defence against somebody who builds collisions.
A zero has no sign here: -0.0 and 0.0 are one number, and one hash.
"""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contract.names import ROW_HASH

PART_ROWS = 100_000

RowHashes = npt.NDArray[np.int64]  # (n_rows,)


def row_hashes(rows: pa.Table) -> RowHashes:
    """One hash for each row, (n_rows,) int64; it depends on the row's own values alone.

    The order of the columns counts, their names do not.
    """
    return _in_parts(rows, lambda part: [_without_signed_zero(c) for c in part.columns])


def altered(rows: pa.Table) -> int:
    """How many rows are not those that their column `_row_hash` was computed from.

    Rows that were written while zeros kept their sign in the hash are as they were written, too.
    """
    stored, values = rows.column(ROW_HASH).to_numpy(), rows.drop_columns([ROW_HASH])
    differ = row_hashes(values) != stored
    if differ.any():
        signed = _in_parts(values.filter(pa.array(differ)), lambda part: part.columns)
        differ[differ] = signed != stored[differ]
    return int(differ.sum())


def _without_signed_zero(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.add(column, pa.scalar(0.0, column.type))  # -0.0 + 0.0 is 0.0 (IEEE 754)


def _in_parts(rows: pa.Table, columns: Callable[[pa.Table], list[pa.ChunkedArray]]) -> RowHashes:
    """Hashes of these columns of each part, so that no second copy of all rows is in memory."""
    starts = range(0, rows.num_rows, PART_ROWS)
    parts = [_hashes(columns(rows.slice(start, PART_ROWS))) for start in starts]
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _hashes(columns: list[pa.ChunkedArray]) -> RowHashes:
    import pandas as pd  # which a service that only reads the ledger never loads

    # pandas turns integers and booleans into other types where any row has a null, and they would
    # hash differently: so nulls are filled, and what is null is hashed beside the values.
    filled = [pc.fill_null(c, pa.scalar(0).cast(c.type)) for c in columns]
    nulls = [c.is_null() for c in columns]
    names = [str(i) for i in range(2 * len(columns))]
    frame = pa.table([*filled, *nulls], names=names).to_pandas()
    return pd.util.hash_pandas_object(frame, index=False).to_numpy().view(np.int64)


def content_hash(hashes: RowHashes) -> str:
    """The hash of a table with these row hashes (n_rows,), whatever their order: 64 hex digits."""
    return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()


def value_hash(value: object) -> str:
    """SHA-256 of a plain value (mappings, lists, scalars), whatever the order of keys: 64 hex
    digits."""
    text = json.dumps(value, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
