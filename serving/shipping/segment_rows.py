"""What a closed segment holds: records, and what of it can't be read."""

from collections import defaultdict
from dataclasses import dataclass

from serving.log.record import RecordSchema, UnreadableRecord, decode, kind_of
from serving.log.segment_frames import Damage, Frame, frame, scan
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
    """Decode a segment; whatever is wrong with a frame costs that frame alone."""
    schemas: dict[str, RecordSchema] = {}
    records: dict[str, list[Placed]] = defaultdict(list)
    unread: list[UnreadableBytes] = []
    for part in scan(segment.path.read_bytes(), salt_of(segment.spool_id, segment.sequence)):
        if isinstance(part, Damage):
            unread.append(UnreadableBytes(part.offset, part.content, _what(part)))
            continue
        placed = Placed(segment, part)
        try:
            value = decode(part)
        except UnreadableRecord as error:
            unread.append(placed.unread(str(error)))
            continue
        if isinstance(value, RecordSchema):
            schemas[value.schema_hash] = value
        elif kind_of(value) != kind.frame_kind:
            reason = f"{kind_of(value).name.lower()} in a spool of {kind.frame_kind.name.lower()}"
            unread.append(placed.unread(reason))
        else:
            records[value.schema_hash].append(placed)
    for name in records.keys() - schemas.keys():
        reason = f"the columns of schema {name} are not in this segment"
        unread += [placed.unread(reason) for placed in records.pop(name)]
    groups = [(schemas[name], group) for name, group in records.items()]
    return SegmentRecords(segment, groups, unread)


def _what(damage: Damage) -> str:
    if damage.at_end:
        return "no whole frame at the end: its writer died while it wrote, or the file is damaged"
    return "no whole frame between two whole ones: the file is damaged"
