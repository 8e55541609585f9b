"""A batch of segments: how many go into one commit, and their records as rows of the table."""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from contract.store.schema import fit_to_schema, widened
from serving.log.record import RecordSchema, UnreadableRecord, decode, encode
from serving.log.spool import SEGMENT_ROWS, Segment
from serving.shipping.quarantine import UnreadableBytes
from serving.shipping.record_kinds import RecordKind
from serving.shipping.segment_rows import Placed, SegmentRecords

UNPACKED_ROWS = 10_000
# What arrow and plain Python say of a value of another type, a missing column, a wrong length.
_DOES_NOT_FIT = (
    UnreadableRecord,
    pa.ArrowException,
    TypeError,
    KeyError,
    ValueError,
    OverflowError,
)


@dataclass(frozen=True)
class Limits:
    """What one commit takes at most, but one segment at least: it is all in memory at once."""

    bytes: int = 16 * 1024 * 1024
    rows: int = SEGMENT_ROWS
    segments: int = 2_000


@dataclass(frozen=True)
class Fitted:
    """Rows in the table's columns, and by segment the records that are none of them."""

    rows: pa.Table
    misfits: dict[Segment, list[UnreadableBytes]]


def batches(segments: Iterable[Segment], most: Limits) -> Iterator[list[Segment]]:
    """The segments in their order, as many at a time as the limits let."""
    batch: list[Segment] = []
    size = rows = 0
    for segment in segments:
        own = _size(segment)
        full = size + own > most.bytes or rows + segment.rows > most.rows
        if batch and (full or len(batch) == most.segments):
            yield batch
            batch, size, rows = [], 0, 0
        batch.append(segment)
        size, rows = size + own, rows + segment.rows
    if batch:
        yield batch


def columns(parts: Sequence[SegmentRecords], kind: RecordKind, table: pa.Schema) -> pa.Schema:
    """The columns of a table, then those that only records of these segments have."""
    for schema, _ in _together(parts):
        table = widened(table, kind.rows(schema, []).schema)
    return table


def fit(parts: Sequence[SegmentRecords], kind: RecordKind, wanted: pa.Schema) -> Fitted:
    """The records of all segments as rows with these columns."""
    tables = [wanted.empty_table()]
    misfits: dict[Segment, list[UnreadableBytes]] = defaultdict(list)
    for schema, group in _together(parts):
        for part in _fit(schema, group, kind, wanted):
            if isinstance(part, pa.Table):
                tables.append(part)
            else:
                placed, reason = part
                misfits[placed.segment].append(placed.unread(reason))
    return Fitted(pa.concat_tables(tables), misfits)


@contextmanager
def collector_off() -> Iterator[None]:
    """Millions of new lists make Python search for cycles, which has cost five times the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _together(parts: Sequence[SegmentRecords]) -> list[tuple[RecordSchema, list[Placed]]]:
    """The records of all segments by their columns: an arrow table for each costs 100 kB."""
    schemas: dict[bytes, RecordSchema] = {}
    records: dict[bytes, list[Placed]] = defaultdict(list)
    for part in parts:
        for schema, group in part.groups:
            key = encode(schema)
            schemas[key] = schema
            records[key] += group
    return [(schemas[key], group) for key, group in records.items()]


def _fit(
    schema: RecordSchema, group: Sequence[Placed], kind: RecordKind, wanted: pa.Schema
) -> Iterator[pa.Table | tuple[Placed, str]]:
    """Rows of a group; where they do not fit, those of its halves, down to the record that fails.

    Where the types differ no record can fit, and none is tried.
    """
    try:
        _fitted_nulls(kind.rows(schema, []).schema, wanted)
    except pa.ArrowException as error:
        yield from ((placed, f"the table differs: {error}") for placed in group)
        return
    waiting = list(_few_rows(group))[::-1]
    while waiting:
        some = waiting.pop()
        try:
            rows = fit_to_schema(
                kind.rows(schema, [decode(placed.frame) for placed in some]), wanted
            )
        except _DOES_NOT_FIT as error:
            if len(some) == 1:
                unread = isinstance(error, UnreadableRecord)
                yield some[0], str(error) if unread else f"a value does not fit: {error}"
            else:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
        else:
            yield rows


def _few_rows(group: Sequence[Placed]) -> Iterator[Sequence[Placed]]:
    """The group in parts of so many rows: unpacked, and as lists of values, they take the most."""
    start = rows = 0
    for at, placed in enumerate(group):
        rows += placed.frame.rows
        if rows > UNPACKED_ROWS and at > start:
            yield group[start:at]
            start, rows = at, placed.frame.rows
    yield group[start:]


def _fitted_nulls(schema: pa.Schema, wanted: pa.Schema) -> pa.Table:
    """A row without values in other columns: it fails by the types alone."""
    return fit_to_schema(pa.table([pa.nulls(1, f.type) for f in schema], schema=schema), wanted)


def _size(segment: Segment) -> int:
    try:
        return segment.path.stat().st_size
    except OSError:  # who reads it says why
        return 0
