"""What a closed segment holds: records, and what of it can't be read."""

from collections import defaultdict
from dataclasses import dataclass

from serving.log.record import RecordSchema, UnreadableRecord, decode, schema_named
from serving.log.segment_frames import Damage, Frame, FrameKind, frame, scan
from serving.log.spool import Segment, salt_of
from serving.shipping.quarantine import UnreadableBytes
from serving.shipping.record_kinds import RecordKind


@dataclass(frozen=True, slots=True)
class Placed:
    """A frame that holds a record, and where it stands."""

    segment: Segment
    frame: Frame

    def unread(self, reason: str) -> UnreadableBytes:
        """Its bytes, for the quarantine."""
        segment, whole = self.segment, self.frame
        salt = salt_of(segment.spool_id, segment.sequence)
        content = frame(whole.kind, whole.version, whole.rows, whole.payload, salt)
        return UnreadableBytes(whole.offset, content, reason)


@dataclass(frozen=True, slots=True)
class SegmentRecords:
    """Records of a segment with their columns, and what is left over.

    Records stay packed: as lists of values they take ten times the memory.
    """

    segment: Segment
    groups: list[tuple[RecordSchema, list[Placed]]]
    unread: list[UnreadableBytes]


def read_segment(segment: Segment, kind: RecordKind) -> SegmentRecords:
    """The frames of a segment by their schema; whatever is wrong with one costs that one alone.

    Records are decoded when their rows are made, which finds what is wrong behind their heads.
    """
    schemas: dict[str, RecordSchema] = {}
    records: dict[str, list[Placed]] = defaultdict(list)
    unread: list[UnreadableBytes] = []
    for part in scan(segment.path.read_bytes(), salt_of(segment.spool_id, segment.sequence)):
        if isinstance(part, Damage):
            unread.append(UnreadableBytes(part.offset, part.content, _what(part)))
            continue
        placed = Placed(segment, part)
        try:
            if part.kind == FrameKind.SCHEMA and isinstance(schema := decode(part), RecordSchema):
                schemas[schema.schema_hash] = schema
                continue
            name = schema_named(part)
        except UnreadableRecord as error:
            unread.append(placed.unread(str(error)))
            continue
        if part.kind == kind.frame_kind:
            records[name].append(placed)
        else:
            found, asked = FrameKind(part.kind).name.lower(), kind.frame_kind.name.lower()
            unread.append(placed.unread(f"{found} in a spool of {asked}"))
    for name in records.keys() - schemas.keys():
        reason = f"the columns of schema {name} are not in this segment"
        unread += [placed.unread(reason) for placed in records.pop(name)]
    groups = [(schemas[name], group) for name, group in records.items()]
    return SegmentRecords(segment, groups, unread)


def _what(damage: Damage) -> str:
    if damage.at_end:
        return "no whole frame at the end: its writer died while it wrote, or the file is damaged"
    return "no whole frame between two whole ones: the file is damaged"
