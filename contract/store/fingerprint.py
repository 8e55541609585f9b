"""Content hashes of rows and tables.

A row's hash covers the values of the declared columns in declared order, and which of them are null
(64 bit, keyed SipHash as in pandas). A table's hash is the SHA-256 of its sorted row hashes: the
same rows in another order are the same content, and a row given twice counts twice. 64 bits tell
apart rows that differ by accident; they are no defence against somebody who builds collisions.
"""

import hashlib
import json

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

RowHashes = npt.NDArray[np.int64]  # (n_rows,)


def row_hashes(rows: pa.Table) -> RowHashes:
    """One hash for each row, (n_rows,) int64; it depends on the row's own values alone.

    The order of the columns counts, their names do not.
    """
    if not rows.num_rows:
        return np.empty(0, dtype=np.int64)
    # pandas turns integers and booleans into other types where any row has a null, and they would
    # hash differently: so nulls are filled, and what is null is hashed beside the values.
    filled = [pc.fill_null(c, pa.scalar(0).cast(c.type)) for c in rows.columns]
    nulls = [c.is_null() for c in rows.columns]
    names = [str(i) for i in range(2 * rows.num_columns)]
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
