"""The process that writes a worker's records: one group after another, each confirmed when safe.

`serving.log.group_commit` starts it; its standard input is a socket to the worker. It is a process
because a thread of the worker would need the interpreter's lock several times for each group, and
take it from the answers. It ends when its input does: with its worker, however that one ends.
"""

import contextlib
import logging
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from serving.log.spool import Spool, SpoolEntry

LENGTH = struct.Struct("<I")  # of the group that follows
RETRY_S = 1.0  # after a fault while a segment was closed

logger = logging.getLogger(__name__)


class WriterOptions(msgspec.Struct, frozen=True):
    """The options that a writer starts with: which spool, and how durable."""

    folder: str
    max_bytes: int
    max_age_s: float
    sync: bool


class RecordGroup(msgspec.Struct, frozen=True, array_like=True):
    """Records that share one write, and the schemas that the writer did not know before."""

    schemas: dict[str, bytes]
    entries: list[SpoolEntry]


_read_group = msgspec.msgpack.Decoder(RecordGroup).decode


def write_groups(spool: Spool, sync: bool, worker: socket.socket) -> None:
    """Write each group that comes and answer with a line: empty, or the problem.

    The next group comes after the answer. A segment that is old is closed whether or not one does.
    """
    due_s = None
    with worker.makefile("rb") as groups, contextlib.suppress(ConnectionError):  # it is gone
        while True:
            if select.select([worker], [], [], due_s)[0]:
                group = _next_group(groups)
                if group is None:
                    break
                worker.sendall(write_group(spool, group, sync).encode() + b"\n")
            due_s = closed(spool.close_due)
    closed(spool.close)


def _next_group(groups: BinaryIO) -> RecordGroup | None:
    """None at the end, and where the worker died while it sent one."""
    head = groups.read(LENGTH.size)
    size = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
    body = groups.read(size)
    return _read_group(body) if size and len(body) == size else None


def write_group(spool: Spool, group: RecordGroup, sync: bool) -> str:
    """The problem, or "" once the group is as durable as was asked."""
    for schema_hash, payload in group.schemas.items():
        spool.describe(schema_hash, payload)
    try:
        spool.write(group.entries, sync)
    except OSError as error:
        return error.strerror or type(error).__name__
    except Exception as error:  # a fault of ours must not end what all requests wait for
        logger.exception("a group could not be written")
        return f"a fault in its writer ({type(error).__name__})"
    return ""


def closed(close: Callable[[], float | None]) -> float | None:
    """What `close` says; seconds to the next attempt where it fails by a fault of ours."""
    try:
        return close()
    except Exception as error:
        logger.exception("a segment can't be closed (%s)", type(error).__name__)
        return RETRY_S


def main() -> None:
    """Serve the worker at the other end of standard input."""
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    for number in (signal.SIGINT, signal.SIGTERM):  # its worker ends after it has answered
        signal.signal(number, signal.SIG_IGN)
    options = msgspec.json.decode(sys.argv[1], type=WriterOptions)
    spool = Spool(Path(options.folder), options.max_bytes, options.max_age_s)
    with socket.socket(fileno=sys.stdin.fileno()) as worker:
        write_groups(spool, options.sync, worker)


if __name__ == "__main__":
    main()
