"""Frames: what was written whole is found again, whatever happened to the bytes around it."""

import struct
import zlib

from hypothesis import given
from hypothesis import strategies as st

from serving.log.segment_frames import MAGIC, VERSION, Damage, Frame, FrameKind, frame, scan

SALT = 7
PAYLOADS = st.lists(st.binary(max_size=60), min_size=1, max_size=8)


def frames(payloads: list[bytes]) -> list[bytes]:
    return [frame(2, 1, 3, payload, SALT) for payload in payloads]


def whole(data: bytes, salt: int = SALT) -> list[bytes]:
    return [found.payload for found in scan(data, salt) if isinstance(found, Frame)]


@given(PAYLOADS)
def test_frames_come_back_in_order(payloads: list[bytes]) -> None:
    found = list(scan(b"".join(frames(payloads)), SALT))
    assert [f.payload for f in found if isinstance(f, Frame)] == payloads
    assert {(f.kind, f.version, f.rows) for f in found if isinstance(f, Frame)} == {(2, 1, 3)}
    assert len(found) == len(payloads)


@given(PAYLOADS, st.data())
def test_a_changed_byte_costs_one_frame(payloads: list[bytes], data: st.DataObject) -> None:
    parts = frames(payloads)
    hit = data.draw(st.integers(0, len(parts) - 1))
    at = data.draw(st.integers(0, len(parts[hit]) - 1))
    damaged = bytearray(parts[hit])
    damaged[at] ^= data.draw(st.integers(1, 255))
    rest = payloads[:hit] + payloads[hit + 1 :]
    found = list(scan(b"".join([*parts[:hit], bytes(damaged), *parts[hit + 1 :]]), SALT))
    assert [f.payload for f in found if isinstance(f, Frame)] == rest
    assert [f.content for f in found if isinstance(f, Damage)] == [bytes(damaged)]


@given(PAYLOADS, st.data())
def test_a_torn_tail_costs_the_last_frame(payloads: list[bytes], data: st.DataObject) -> None:
    parts = frames(payloads)
    kept = data.draw(st.integers(1, len(parts[-1]) - 1))
    *found, tail = scan(b"".join(parts[:-1]) + parts[-1][:kept], SALT)
    assert [f.payload for f in found if isinstance(f, Frame)] == payloads[:-1]
    assert isinstance(tail, Damage)
    assert tail.at_end
    assert tail.content == parts[-1][:kept]


def test_a_frame_inside_a_payload_is_no_frame_of_a_damaged_segment() -> None:
    smuggled = frame(2, 1, 1, b"smuggled", salt=0)
    carrier = bytearray(frame(2, 1, 1, smuggled, SALT))
    carrier[-1] ^= 1
    assert whole(bytes(carrier)) == []
    assert whole(frames([b"mine"])[0], salt=8) == []


def test_no_text_holds_the_magic() -> None:
    assert MAGIC.decode("utf-8", errors="ignore") != MAGIC.decode("latin-1")
    with_every_letter = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x11000)]))
    assert MAGIC[:2] not in with_every_letter.encode()


def test_a_segment_that_was_written_before_is_read_by_its_bytes() -> None:
    """Magic, kind 2, version 1, three rows, three bytes, check sum: none of it may ever change."""
    written = bytes.fromhex("f4ff4359 02 01 03000000 03000000 c4ae7182 616263")
    assert frame(2, VERSION, 3, b"abc", SALT) == written
    assert list(scan(written, SALT)) == [Frame(0, 2, 1, 3, b"abc")]
    assert {kind.name: kind.value for kind in FrameKind} == {
        "SCHEMA": 1,
        "PREDICTIONS": 2,
        "FEEDBACK": 3,
    }


def test_bytes_with_a_check_sum_and_another_magic_are_no_frame() -> None:
    head = struct.pack("<4sBBII", b"\xf4\xffCX", 2, 1, 3, 3)
    alien = head + struct.pack("<I", zlib.crc32(b"abc", zlib.crc32(head, SALT))) + b"abc"
    assert list(scan(alien, SALT)) == [Damage(0, alien, at_end=True)]
