"""What waits in a spool folder and how its shipper does: for metrics, readiness and people."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from serving.log.spool import closed_segments
from serving.shipping import quarantine

STATUS_FILE = "shipper.json"
SILENT_S = 180.0  # its longest pause is a minute, and a store that is away costs it another


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
    stats = [segment.path.lstat() for segment in segments]  # a link may lead nowhere
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


def reasons(folder: Path, table: str, began: float) -> Iterator[str]:
    """Sentences on what is not well with the way from a spool folder to its table.

    `began` is when somebody began to listen (seconds since 1970): who was silent before that may
    just be starting.
    """
    try:
        status = read_status(folder)
    except (OSError, msgspec.MsgspecError) as error:
        what = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        yield f"How the shipper of {table} does can't be read: {what}."
        return
    if status and status.problem:
        yield f"Rows wait for the table {table!r}: {status.problem}."
    if status and status.quarantined:
        pieces = f"{status.quarantined} piece{'s' * (status.quarantined > 1)}"
        yield f"Of the log of {table}, {pieces} could not be read and can be found in quarantine."
    silent_s = time.time() - max(status.time if status else 0.0, began)
    if silent_s > SILENT_S:
        yield f"The shipper of {table} was last heard {silent_s:.0f} s ago; rows wait in the spool."
