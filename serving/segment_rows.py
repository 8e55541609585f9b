"""What a closed segment holds: records, and what of it can't be read."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from serving.cargo import Cargo
from serving.frames import Damage, Frame, frame, scan
from serving.quarantine import Unread
from serving.record import Record, Schema, Unreadable, decode, kind_of
from serving.spool import Segment, salt_of


@dataclass(frozen=True, slots=True)
class Placed:
    """A record, and where it stands."""

    segment: Segment
    offset: int
    record: Record


@dataclass(frozen=True, slots=True)
class SegmentRecords:
    """Records of a segment with their columns, and what is left over."""

    segment: Segment
    groups: list[tuple[Schema, list[Placed]]]
    unread: list[Unread]


def read_segment(segment: Segment, cargo: Cargo) -> SegmentRecords:
    """Decode a segment; whatever is wrong with a frame costs that frame alone."""
    schemas: dict[str, Schema] = {}
    records: dict[str, list[Placed]] = defaultdict(list)
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
            records[value.schema_hash].append(Placed(segment, found.offset, value))
    undescribed = {
        placed.offset: f"the columns of schema {name} are not in this segment"
        for name in records.keys() - schemas.keys()
        for placed in records[name]
    }
    groups = [(schemas[name], group) for name, group in records.items() if name in schemas]
    return SegmentRecords(segment, groups, [*unread, *set_apart(segment, undescribed)])


def set_apart(segment: Segment, reasons: Mapping[int, str]) -> list[Unread]:
    """The frames at these offsets as unread, out of a segment that was read before."""
    if not reasons:
        return []
    return [
        _unread(segment, found, reasons[found.offset])
        for found in _scan(segment)
        if isinstance(found, Frame) and found.offset in reasons
    ]


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
