"""Rows of a stage become files of a table that is partitioned by day, a few days open at a time.

Deltalake's own writer holds a file open for each day, with some 3 MB of memory: a year of answers
takes a gigabyte. Here memory depends on the days that are open, and each of the rest is read again.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction
from pyarrow.fs import PyFileSystem

from contract.addresses import storage_options
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.predictions import PARTITION
from contract.store.schema import fit_to_schema
from pipelines.scoring.stage import Stage, Waiting, append_rows
from pipelines.scoring.staging import parquet_writer

OPEN_DAYS = 32
GROUP_ROWS = 50_000  # of a file's row group, which is in memory until it is whole
# By their smallest and largest values a reader passes over files; personal values are none of them.
BOUNDED = ("prediction_id", "event_time", "logged_time")


@dataclass
class _DayFile:
    """A file of one day, and what a commit says of it."""

    path: str
    day: date
    writer: pq.ParquetWriter
    rows: int = 0
    ends: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def write(self, rows: pa.RecordBatch) -> None:
        """Add rows of the day, without the column that says it."""
        self.writer.write_batch(rows, GROUP_ROWS)
        self.rows += rows.num_rows
        for name in BOUNDED:
            found = pc.min_max(rows.column(name)).as_py()
            low, high = self.ends.get(name, (found["min"], found["max"]))
            self.ends[name] = min(low, found["min"]), max(high, found["max"])

    def action(self, size: int) -> AddAction:
        """What the commit says of it."""
        stats = {
            "numRecords": self.rows,
            "minValues": {name: _said(low) for name, (low, _) in self.ends.items()},
            "maxValues": {name: _said(high) for name, (_, high) in self.ends.items()},
            "nullCount": dict.fromkeys(self.ends, 0),
        }
        now = int(datetime.now(UTC).timestamp() * 1000)
        days = {PARTITION: self.day.isoformat()}
        return AddAction(self.path, size, days, now, True, json.dumps(stats))


@dataclass(frozen=True)
class SomeDays:
    """The rows of some days, which one worker writes."""

    waiting: Waiting
    days: list[date]
    wanted: pa.Schema
    table: str  # its address
    name: str  # of the files of these days


# Does the same to each of several values, perhaps on other machines; what comes of them, in order.
Each = Callable[
    [Callable[[SomeDays], list[AddAction]], Iterable[SomeDays]], Iterable[list[AddAction]]
]


def append_days(
    each: Each, intake: ExactlyOnceWriter, stage: Stage, wanted: pa.Schema, upto: Mapping[str, int]
) -> int:
    """Add the rows as files of days, in one commit; the new version."""
    if not set(wanted) <= set(intake.schema):  # columns are added by deltalake's own writer alone
        return append_rows(intake, stage, wanted, upto)
    return intake.append_files(write_days(stage, intake.table, wanted, each), upto)


def write_days(
    stage: Stage, table: DeltaTable, wanted: pa.Schema, each: Each = map
) -> list[AddAction]:
    """Write the rows, in these columns, as one file for each day; none is in the table yet."""
    waiting, name = stage.written(), f"batch-{uuid4()}.parquet"
    days, address = _days(waiting), table.table_uri
    some = [
        SomeDays(waiting, days[at : at + OPEN_DAYS], wanted, address, name)
        for at in range(0, len(days), OPEN_DAYS)
    ]
    return [action for added in each(write_some, some) for action in added]


def write_some(some: SomeDays) -> list[AddAction]:
    """Write the files of some days. Written twice they are the same, and there once."""
    store = PyFileSystem(DeltaStorageHandler(some.table, storage_options(some.table)))
    with _opened(store, some) as files:
        for rows in _between(some.waiting, some.days[0], some.days[-1]):
            for day, part in _by_day(fit_to_schema(rows, some.wanted)):
                if day in files:
                    files[day].write(part)
    sizes = store.get_file_info([file.path for file in files.values()])
    return [file.action(i.size) for file, i in zip(files.values(), sizes, strict=True)]


@contextmanager
def _opened(store: PyFileSystem, some: SomeDays) -> Iterator[Mapping[date, _DayFile]]:
    schema = some.wanted.remove(some.wanted.get_field_index(PARTITION))
    with ExitStack() as stack:
        files = {}
        for day in some.days:
            path = f"{PARTITION}={day}/{some.name}"
            stream = stack.enter_context(store.open_output_stream(path))
            writer = stack.enter_context(parquet_writer(stream, schema, "zstd"))
            files[day] = _DayFile(path, day, writer)
        yield files


def _days(waiting: Waiting) -> list[date]:
    """The days that rows are of, in order."""
    found: set[date] = set()
    for file in waiting.files():
        for batch in file.iter_batches(columns=[PARTITION]):
            found.update(batch.column(0).unique().to_pylist())
    return sorted(found)


def _between(waiting: Waiting, first: date, last: date) -> Iterator[pa.Table]:
    """Row groups that may hold rows of these days."""
    for file in waiting.files():
        paths = [file.schema.column(at).path for at in range(len(file.schema))]
        at = paths.index(PARTITION)  # among leaves: members of `inputs` count, too
        for group in range(file.num_row_groups):
            ends = file.metadata.row_group(group).column(at).statistics
            if ends.max >= first and ends.min <= last:
                yield file.read_row_group(group)


def _by_day(rows: pa.Table) -> Iterator[tuple[date, pa.RecordBatch]]:
    """The rows of each day, in their order, without the column that says it."""
    order = pc.array_sort_indices(rows.column(PARTITION).combine_chunks())  # a stable sort
    (batch,) = rows.take(order).combine_chunks().to_batches()
    days = batch.column(PARTITION)
    starts = np.flatnonzero(np.diff(days.cast(pa.int32()).to_numpy(), prepend=-1 << 31))
    plain = batch.drop_columns([PARTITION])
    for start, end in zip(starts, [*starts[1:], batch.num_rows], strict=True):
        yield days[int(start)].as_py(), plain.slice(int(start), int(end - start))


def _said(value: Any) -> Any:
    """A value as the log of a table writes it: times in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
