"""What waits in a spool folder and how its shipper does: for metrics, readiness and people."""

import os
import time
from pathlib import Path

import msgspec

from serving.log.spool import closed_segments
from serving.shipping import quarantine

STATUS_FILE = "shipper.json"


class ShadowStatus(msgspec.Struct, frozen=True):
    """What the challenger did since the shipper started."""

    version: str | None = None
    scored: int = 0  # rows
    differ: int = 0  # predictions that are not the champion's
    skipped: int = 0  # rows without a shadow: no time, or an error
    seconds: float = 0.0
    problem: str = ""


class ShipperStatus(msgspec.Struct, frozen=True):
    """As the shipper saw it at `time` (seconds since 1970)."""

    time: float
    process: int
    rows_shipped: int  # since it started
    backlog_rows: int  # in closed segments
    backlog_bytes: int
    backlog_age_s: float  # of the oldest of them, 0 without any
    quarantined: int  # pieces that could not be read and wait for a person
    problem: str  # why the newest pass failed; "" when it did not
    shadow: ShadowStatus | None = None  # None: no challenger is asked


def status_now(
    folder: Path, rows_shipped: int, problem: str, shadow: ShadowStatus | None = None
) -> ShipperStatus:
    """Look at the folder."""
    now = time.time()
    segments = closed_segments(folder)
    stats = [segment.path.stat() for segment in segments]
    return ShipperStatus(
        time=now,
        process=os.getpid(),
        rows_shipped=rows_shipped,
        backlog_rows=sum(segment.rows for segment in segments),
        backlog_bytes=sum(stat.st_size for stat in stats),
        backlog_age_s=max((now - stat.st_mtime for stat in stats), default=0.0),
        quarantined=quarantine.count(folder / "quarantine"),
        problem=problem,
        shadow=shadow,
    )


def write_status(folder: Path, status: ShipperStatus) -> None:
    """Replace `shipper.json` at once: who reads it sees the old or the new."""
    draft = folder / f"{STATUS_FILE}.new"
    draft.write_bytes(msgspec.json.encode(status))
    draft.replace(folder / STATUS_FILE)


def read_status(folder: Path) -> ShipperStatus | None:
    """What the shipper wrote last; None where none has run."""
    try:
        text = (folder / STATUS_FILE).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(text, type=ShipperStatus)
