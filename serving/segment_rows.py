"""A closed segment as rows for the table, and what of it can't be read."""

import gc
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from serving.cargo import Cargo
from serving.frames import Damage, Frame, frame, scan
from serving.quarantine import Unread
from serving.record import Record, Schema, Unreadable, decode, kind_of
from serving.spool import Segment, salt_of


@dataclass(frozen=True, slots=True)
class SegmentRows:
    """Rows of a segment, one table for each schema hash, and what is left over."""

    segment: Segment
    tables: dict[str, pa.Table]
    unread: list[Unread]


def read_segment(segment: Segment, cargo: Cargo) -> SegmentRows:
    """Decode a segment; whatever is wrong with a frame costs that frame alone."""
    with _collector_off():
        return _read(segment, cargo)


def _read(segment: Segment, cargo: Cargo) -> SegmentRows:
    schemas: dict[str, Schema] = {}
    records: dict[str, list[tuple[Frame, Record]]] = defaultdict(list)
    unread: list[Unread] = []
    for found in _scan(segment):
        if isinstance(found, Damage):
            unread.append(Unread(found.offset, found.content, _what(found)))
            continue
        try:
            value = decode(found)
        except Unreadable as error:
            unread.append(_unread(segment, found, str(error)))
            continue
        if isinstance(value, Schema):
            schemas[value.schema_hash] = value
        elif kind_of(value) != cargo.kind:
            reason = f"{kind_of(value).name.lower()} in a spool of {cargo.kind.name.lower()}"
            unread.append(_unread(segment, found, reason))
        else:
            records[value.schema_hash].append((found, value))
    tables: dict[str, pa.Table] = {}
    for schema_hash, group in records.items():
        if schema_hash not in schemas:
            reason = f"the columns of schema {schema_hash} are not in this segment"
            unread += [_unread(segment, found, reason) for found, _ in group]
            continue
        table, bad = _rows(segment, cargo, schemas[schema_hash], group)
        unread += bad
        if table.num_rows:
            tables[schema_hash] = table
    return SegmentRows(segment, tables, unread)


def set_apart(segment: Segment, schema_hash: str, reason: str) -> list[Unread]:
    """Every record of one schema as unread, out of a segment that was read before."""
    found = []
    for part in _scan(segment):
        if isinstance(part, Damage):
            continue
        try:
            value = decode(part)
        except Unreadable:  # it is among what `read_segment` could not read
            continue
        if not isinstance(value, Schema) and value.schema_hash == schema_hash:
            found.append(_unread(segment, part, reason))
    return found


@contextmanager
def _collector_off() -> Iterator[None]:
    """Millions of new lists make Python search for cycles, which has cost five times the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rows(
    segment: Segment, cargo: Cargo, schema: Schema, group: list[tuple[Frame, Record]]
) -> tuple[pa.Table, list[Unread]]:
    try:
        return cargo.rows(schema, [record for _, record in group]), []
    except _DOES_NOT_FIT as error:
        if len(group) == 1:
            return pa.table({}), [_unread(segment, group[0][0], f"a value does not fit: {error}")]
    parts = [_rows(segment, cargo, schema, [one]) for one in group]
    whole = [table for table, _ in parts if table.num_rows]
    return pa.concat_tables(whole or [pa.table({})]), [u for _, bad in parts for u in bad]


# What arrow and plain Python say of a value of another type, a missing column, a wrong length.
_DOES_NOT_FIT = (pa.ArrowException, TypeError, KeyError, ValueError, OverflowError)


def _scan(segment: Segment) -> Iterator[Frame | Damage]:
    salt = salt_of(segment.spool_id, segment.sequence)
    return scan(segment.path.read_bytes(), salt)


def _unread(segment: Segment, found: Frame, reason: str) -> Unread:
    salt = salt_of(segment.spool_id, segment.sequence)
    content = frame(found.kind, found.version, found.rows, found.payload, salt)
    return Unread(found.offset, content, reason)


def _what(damage: Damage) -> str:
    if damage.at_end:
        return "no whole frame at the end: its writer died while it wrote, or the file is damaged"
    return "no whole frame between two whole ones: the file is damaged"
