"""Appends to a Delta table that happen exactly once, and last: what a numbered writer needs."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.transaction import AddAction

from contract.store import upkeep


@dataclass(frozen=True)
class ExactlyOnceWriter:
    """One table opened once. What a writer asks it and what it appends must go through the same
    object: then two writers of the same numbers can't both commit.
    """

    table: DeltaTable

    @property
    def schema(self) -> pa.Schema:
        """Columns that the table has now."""
        return pa.schema(self.table.schema().to_arrow())

    def last(self, writer: str) -> int:
        """The newest number of a writer that is in the table; 0: none."""
        return int(self.table.transaction_version(writer) or 0)

    def append(self, rows: pa.Table | pa.RecordBatchReader, upto: Mapping[str, int]) -> int:
        """Add rows and, in the same commit, each writer's newest number; the new version.

        Any exception leaves open whether the commit happened: open the table again and look.
        Columns that the table lacks are added to it.
        """
        write_deltalake(
            self.table,
            rows,
            mode="append",
            schema_mode=None if set(rows.schema) <= set(self.schema) else "merge",
            commit_properties=_marks(upto),
            post_commithook_properties=upkeep.SMALL_COMMIT,
        )
        return int(self.table.version())

    def append_files(self, files: Iterable[AddAction], upto: Mapping[str, int]) -> int:
        """The same with files that lie in the table's folder already, of the columns it has."""
        self.table.create_write_transaction(
            list(files),
            "append",
            self.schema,
            self.table.metadata().partition_columns,
            commit_properties=_marks(upto),
            post_commithook_properties=upkeep.SMALL_COMMIT,
        )
        self.table.update_incremental()
        return int(self.table.version())

    def settle(self, versions: Iterable[int]) -> None:
        """Put versions on the disk for good where that is local: deltalake leaves it to the kernel.

        No versions: whatever was written on this host. An object store is durable by itself.
        """
        address = urlsplit(self.table.table_uri)
        if address.scheme not in ("", "file"):
            return
        files = [path for v in versions for path in _files_of(Path(unquote(address.path)), v)]
        if not files:
            os.sync()
        for path in {*files, *(folder for file in files for folder in file.parents)}:
            _sync(path)


def _marks(upto: Mapping[str, int]) -> CommitProperties:
    marks = [Transaction(writer, number) for writer, number in upto.items()]
    return CommitProperties(app_transactions=marks)


def _files_of(table: Path, version: int) -> Iterator[Path]:
    """What a version wrote: its entry in the log, a check point of it, its data files."""
    log = table / "_delta_log"
    entry = log / f"{version:020d}.json"
    yield entry
    checkpoint = log / f"{version:020d}.checkpoint.parquet"
    if checkpoint.exists():
        yield from (checkpoint, log / "_last_checkpoint")
    with entry.open("rb") as lines:  # of bytes: values may hold what ends a line of text
        for line in lines:
            if added := json.loads(line).get("add"):
                yield table / unquote(added["path"])


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
