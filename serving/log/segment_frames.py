"""The bytes of a spool segment: one frame after another, each found and checked on its own.

A frame is a header (little endian: 4 bytes magic, kind, record version, number of rows, length of
the payload, CRC-32 of all of it) and the payload. The check sum starts from the segment's salt, so
that bytes which a caller sent, or which another file left on the disk, never pass for a frame.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

# A field added at the end of a record keeps the version; any other change needs the next one.
VERSION = 1
MAGIC = b"\xf4\xffCY"  # no text in UTF-8 holds these bytes
HEAD = struct.Struct("<4sBBII")
CHECK = struct.Struct("<I")
HEADER_BYTES = HEAD.size + CHECK.size


class FrameKind(IntEnum):
    """What a frame's payload is."""

    SCHEMA = 1
    PREDICTIONS = 2
    FEEDBACK = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame."""

    offset: int
    kind: int
    version: int
    rows: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes between frames that are no frame."""

    offset: int
    content: bytes
    at_end: bool  # nothing whole follows: what a writer left that died while it wrote


def frame(kind: int, version: int, rows: int, payload: bytes, salt: int) -> bytes:
    """The payload as a frame."""
    head = HEAD.pack(MAGIC, kind, version, rows, len(payload))
    return head + CHECK.pack(zlib.crc32(payload, zlib.crc32(head, salt))) + payload


def scan(data: bytes, salt: int) -> Iterator[Frame | Damage]:
    """All frames of a segment in order, and what lies between them."""
    at = 0
    while at < len(data):
        whole = _frame_at(data, at, salt)
        if whole:
            yield whole
            at += HEADER_BYTES + len(whole.payload)
        else:
            following = _next_frame(data, at + 1, salt)
            yield Damage(at, data[at:following], at_end=following == len(data))
            at = following


def _frame_at(data: bytes, at: int, salt: int) -> Frame | None:
    start = at + HEADER_BYTES
    if start > len(data):
        return None
    magic, kind, version, rows, length = HEAD.unpack_from(data, at)
    if magic != MAGIC or start + length > len(data):
        return None
    payload = data[start : start + length]
    expected = zlib.crc32(payload, zlib.crc32(data[at : at + HEAD.size], salt))
    if CHECK.unpack_from(data, at + HEAD.size) != (expected,):
        return None
    return Frame(at, kind, version, rows, payload)


def _next_frame(data: bytes, at: int, salt: int) -> int:
    while (at := data.find(MAGIC, at)) != -1:
        if _frame_at(data, at, salt):
            return at
        at += 1
    return len(data)
