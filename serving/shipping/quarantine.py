"""What the shipper could not read, kept byte for byte with its reason beside it."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.log.spool import Segment, sync_folder

SUFFIX = ".unread"


@dataclass(frozen=True, slots=True)
class UnreadableBytes:
    """Bytes of a segment that do not reach the table, and why."""

    offset: int
    content: bytes
    reason: str


def keep(folder: Path, segment: Segment, unread: Sequence[UnreadableBytes]) -> None:
    """Write each piece and its reason durably; the same piece again is the same file."""
    if not unread:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for piece in unread:
        stem = f"{segment.spool_id}.{segment.sequence:08d}.{piece.offset}"
        facts = {"segment": segment.path.name, "offset": piece.offset, "reason": piece.reason}
        _write(folder / f"{stem}.json", json.dumps(facts, indent=2).encode())
        _write(folder / f"{stem}{SUFFIX}", piece.content)
    sync_folder(folder)


def count(folder: Path) -> int:
    """How many pieces are there."""
    return sum(1 for _ in folder.glob(f"*{SUFFIX}"))


def _write(path: Path, content: bytes) -> None:
    """The whole content, or no file: half of one would take room and show less than there was."""
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
