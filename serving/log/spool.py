"""The spool of one writer: append-only segments in a folder that all writers of a host share.

A segment is `<spool id>.<sequence>.open` while its writer holds it under a lock, and
`<spool id>.<sequence>.<rows>.segment` when it is whole and synced. The lock ends with its process,
so a segment that nobody holds was left by a dead writer and may be closed by anybody. A spool id
is one run of one writer: it is never used again, so neither is a sequence number.
"""

import errno
import fcntl
import logging
import os
import re
import time
import uuid
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from serving.log.segment_frames import VERSION, Frame, FrameKind, frame, scan

SEGMENT_ROWS = 50_000  # a commit takes whole segments, and all rows of it are in memory at once
REMOVED = "its folder was removed"  # how the problem of a spool begins that is not there any more
OPEN = ".open"
CLOSED = ".segment"
OPEN_NAME = re.compile(r"([0-9a-f]+)\.(\d{8,18})\.open", re.ASCII)
CLOSED_NAME = re.compile(r"([0-9a-f]+)\.(\d{8,18})\.(\d{1,18})\.segment", re.ASCII)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A closed segment."""

    spool_id: str
    sequence: int
    rows: int
    path: Path

    @classmethod
    def read_name(cls, path: Path) -> "Segment | None":
        """A segment by its file; None for a file of another's, which is left alone."""
        name = CLOSED_NAME.fullmatch(path.name)
        return cls(name[1], int(name[2]), int(name[3]), path) if name else None


class SpoolEntry(msgspec.Struct, frozen=True, array_like=True):
    """One record on its way to the disk."""

    kind: FrameKind
    schema_hash: str
    rows: int
    payload: bytes


@dataclass
class _Open:
    """The segment that is written to now: `size` bytes of it are whole frames."""

    path: Path
    descriptor: int
    salt: int
    opened: float
    size: int = 0
    rows: int = 0


class Spool:
    """Writes entries; calls block on the disk, and one thread at a time may call."""

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        max_age_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.max_age_s = folder, max_age_s
        self._max_bytes, self._clock = max_bytes, clock
        self._spool_id = uuid.uuid4().hex
        self._sequence = 0
        self._open: _Open | None = None
        self._schemas: dict[str, bytes] = {}  # payloads of schema frames
        self._described: set[str] = set()  # schemas that the open segment holds

    def describe(self, schema_hash: str, payload: bytes) -> None:
        """Take a schema, which each segment repeats before its first record of it."""
        self._schemas[schema_hash] = payload

    def write(self, entries: Sequence[SpoolEntry], sync: bool) -> None:
        """Append all entries, or none and OSError; with `sync` they are on the disk afterwards."""
        segment = self._open or self._next()
        self._check_there(segment)
        described, data = self._frames(entries, segment.salt)
        try:
            _write_all(segment.descriptor, data)
        except OSError:
            self._undo(segment)
            raise
        try:
            if sync:
                os.fdatasync(segment.descriptor)
        except OSError:  # what the disk holds of it now nobody knows, so nothing may follow it
            self._undo(segment)
            self.close()
            raise
        segment.size += len(data)
        segment.rows += sum(entry.rows for entry in entries)
        self._described |= described
        if segment.size >= self._max_bytes or segment.rows >= SEGMENT_ROWS:
            self._retire(segment)

    def close_due(self) -> float | None:
        """Close the open segment if it is old; seconds until it will be, None without one."""
        if self._open is None:
            return None
        left = self._open.opened + self.max_age_s - self._clock()
        if left > 0:
            return left
        self._retire(self._open)
        return None

    def close(self) -> None:
        """Close the open segment; the next write would open another."""
        if self._open:
            self._retire(self._open)

    def _frames(self, entries: Sequence[SpoolEntry], salt: int) -> tuple[set[str], bytes]:
        parts: list[bytes] = []
        described: set[str] = set()
        for entry in entries:
            if entry.schema_hash not in self._described and entry.schema_hash not in described:
                described.add(entry.schema_hash)
                payload = self._schemas[entry.schema_hash]
                parts.append(frame(FrameKind.SCHEMA, VERSION, 0, payload, salt))
            parts.append(frame(entry.kind, VERSION, entry.rows, entry.payload, salt))
        return described, b"".join(parts)

    def _next(self) -> _Open:
        """Create the next segment and hold its lock."""
        make_folder(self.folder)
        while True:
            sequence = self._sequence + 1
            path = self.folder / f"{self._spool_id}.{sequence:08d}{OPEN}"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            self._sequence = sequence  # not before: a gap makes the shipper wait
            if _lock(descriptor, path):
                break
            os.close(descriptor)  # the shipper took the new, empty file for a dead writer's
        try:
            sync_folder(self.folder)
        except OSError:
            os.close(descriptor)
            raise
        salt = salt_of(self._spool_id, sequence)
        self._open = _Open(path, descriptor, salt, opened=self._clock())
        self._described = set()
        return self._open

    def _check_there(self, segment: _Open) -> None:
        """OSError where somebody removed the segment, else all would go into a file without a name.

        The next write makes folder and segment anew.
        """
        if os.fstat(segment.descriptor).st_nlink:
            return
        self._open = None
        os.close(segment.descriptor)
        lost = f"{REMOVED}, with {segment.rows} rows or more that are in no table"
        raise OSError(errno.ENOENT, lost)

    def _undo(self, segment: _Open) -> None:
        """Cut off what was written; its callers hear that it is not logged.

        Where even that fails, whole frames may stay and are shipped: a row too many in the table,
        never one too few. The segment is left as a dead writer's is, which is closed by a count
        of what it holds.
        """
        try:
            os.ftruncate(segment.descriptor, segment.size)
        except OSError as error:
            logger.warning("%s could not be cut back: %s", segment.path.name, error.strerror)
            self._open = None
            os.close(segment.descriptor)

    def _retire(self, segment: _Open) -> None:
        """Write no more to a segment. One that can't be closed is left as a dead writer's is."""
        self._open = None
        try:
            try:
                finish(segment.path, segment.descriptor, segment.rows)
            finally:
                os.close(segment.descriptor)
        except OSError as error:
            logger.warning("%s could not be closed: %s", segment.path.name, error.strerror)


def finish(path: Path, descriptor: int, rows: int) -> None:
    """Give a whole segment its final name: the name says that all of it is on the disk."""
    if os.fstat(descriptor).st_size:
        os.fsync(descriptor)
        path.rename(path.with_name(path.name.removesuffix(OPEN) + f".{rows}{CLOSED}"))
    else:
        path.unlink()
    sync_folder(path.parent)


def closed_segments(folder: Path) -> list[Segment]:
    """Segments that may be shipped, those of one spool in order."""
    return sorted(filter(None, map(Segment.read_name, folder.glob(f"*{CLOSED}"))))


def open_segments(folder: Path) -> list[Path]:
    """Segments that their writers have not closed yet, or never will."""
    paths = sorted(folder.glob(f"*{OPEN}"))
    return [path for path in paths if OPEN_NAME.fullmatch(path.name)]


def close_leftovers(folder: Path) -> dict[str, str]:
    """Close the segments of dead writers; by spool id, what could not be closed and why."""
    stuck = {}
    for path in open_segments(folder):
        try:
            _close_leftover(path)
        except OSError as error:  # another's by its mode, or a broken sector: costs its spool alone
            stuck[path.name.partition(".")[0]] = f"{path.name} can't be closed: {error.strerror}"
    return stuck


def _close_leftover(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:  # its writer closed it just now
        return
    try:
        if _lock(descriptor, path):
            spool_id, sequence, _ = path.name.split(".")
            frames = scan(path.read_bytes(), salt_of(spool_id, int(sequence)))
            rows = sum(part.rows for part in frames if isinstance(part, Frame))
            finish(path, descriptor, rows)
    finally:
        os.close(descriptor)


def salt_of(spool_id: str, sequence: int) -> int:
    """Where the check sums of a segment start."""
    return zlib.crc32(f"{spool_id}.{sequence}".encode())


def make_folder(folder: Path) -> None:
    """Create a folder that is still there after a power cut, and its parents."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names that were created, changed or removed in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    """Hold the segment, unless another does or it went by another name meanwhile."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except (BlockingIOError, FileNotFoundError):
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
