"""The process that writes a worker's records: all that wait as one group, confirmed when safe.

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

import msgspec

from serving.log.spool import Spool, SpoolEntry

LENGTH = struct.Struct("<I")  # of the group that follows
MOST_BYTES = 1 << 20  # of what waits, in one group
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
    """Write what comes, groups that wait as one, and answer each with a line: "", or the problem.

    A segment that is old is closed whether or not one comes.
    """
    due_s, received = None, bytearray()
    with contextlib.suppress(ConnectionError):  # it is gone
        while True:
            if select.select([worker], [], [], due_s)[0]:
                data = worker.recv(MOST_BYTES)
                if not data:
                    break  # what it sent of a group when it died is none
                received += data
                if groups := _taken(received):
                    problem = write_group(spool, _joined(groups), sync)
                    worker.sendall(f"{problem}\n".encode() * len(groups))
            due_s = closed(spool.close_due)
    closed(spool.close)


def _taken(received: bytearray) -> list[RecordGroup]:
    """The groups that are there as a whole, taken out of what was received."""
    groups, at = [], 0
    while at + LENGTH.size <= len(received):
        start = at + LENGTH.size
        end = start + LENGTH.unpack_from(received, at)[0]
        if end > len(received):
            break
        groups.append(_read_group(received[start:end]))
        at = end
    del received[:at]
    return groups


def _joined(groups: list[RecordGroup]) -> RecordGroup:
    schemas, entries = groups[0].schemas, groups[0].entries
    for group in groups[1:]:
        schemas, entries = schemas | group.schemas, entries + group.entries
    return RecordGroup(schemas, entries)


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
