"""The rows of a Delta table file by file, in an order that is the same each time.

The query engine reads files side by side, so rows come in another order each time; an answer is
named by the place of its row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from contract.addresses import storage_options
from contract.errors import Refused
from contract.store import upkeep

PARTITION = "partition."  # before a column's name in what Delta says of a file
FEATURES = {"deletionVectors", "columnMapping"}  # with them a file holds other rows or names


def newest_rows(table: DeltaTable) -> int:
    """The newest version that changed rows; upkeep makes others. The table is brought up to date.

    deltalake 1.6.6 counts down from the version that was opened, whatever came since.
    """
    while True:
        entries, opened = table.history(), table.version()
        table.update_incremental()
        if table.version() == opened:
            break
    changes = (e for e in entries if e.get("operation") not in upkeep.OPERATIONS)
    return int(next(changes, {"version": opened})["version"])


def at_rows(address: str, table: DeltaTable, version: int) -> DeltaTable:
    """The table at a version, or as it was opened, with the same rows, where files are gone."""
    if version == table.version():
        return table
    try:
        older = DeltaTable(address, version=version, storage_options=storage_options(address))
    except DeltaError:  # its entry of the log is gone
        return table
    return older if upkeep.whole(older) else table


def facts(table: DeltaTable) -> list[dict[str, Any]]:
    """What the table says of each of its files, by path, in the order of their paths; Refused where
    files alone do not say its rows."""
    _check_features(table)
    found = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    said = [
        {k: v for k, v in one.items() if k.startswith(PARTITION) or k == "path"} for one in found
    ]
    return sorted(said, key=lambda fact: str(fact["path"]))


@contextmanager
def opened(address: str, fact: Mapping[str, Any]) -> Iterator[pq.ParquetFile]:
    """One of its files."""
    files = PyFileSystem(DeltaStorageHandler(address, storage_options(address)))
    # The log encodes the paths, in which words of partitions are encoded already.
    with files.open_input_file(unquote(fact["path"])) as stream:
        yield pq.ParquetFile(stream)


def batches(
    file: pq.ParquetFile,
    groups: Sequence[int],
    fact: Mapping[str, Any],
    wanted: pa.Schema,
    n_rows: int,
) -> Iterator[pa.RecordBatch]:
    """Columns of the rows of some row groups, at most so many at a time."""
    names = [name for name in wanted.names if name in file.schema_arrow.names]
    for part in file.iter_batches(n_rows, row_groups=list(groups), columns=names):
        yield _whole(part, wanted, fact)


def _whole(part: pa.RecordBatch, wanted: pa.Schema, fact: Mapping[str, Any]) -> pa.RecordBatch:
    """The batch with columns that only the folder says, and null where the file has none."""
    arrays = []
    for field in wanted:
        if field.name in part.schema.names:
            arrays.append(part.column(field.name).cast(field.type))
        else:
            value = pa.scalar(fact.get(PARTITION + field.name), field.type)
            arrays.append(pa.repeat(value, part.num_rows))
    return pa.RecordBatch.from_arrays(arrays, schema=wanted)


def _check_features(table: DeltaTable) -> None:
    found = FEATURES & {*(table.protocol().reader_features or ())}
    if found:
        raise Refused(
            f"source: the Delta table {table.table_uri} uses {', '.join(sorted(found))}, with "
            "which its files alone do not say its rows; write it anew without, or as Parquet."
        )
