"""The process that works on large bodies, beside a worker: one after another, each to its end.

`serving.endpoints.large_body_processes` starts it; its standard input is a socket to the worker. It
decodes, checks, scores and logs a body by itself, in a spool of its own: in the interpreter of the
worker small requests would wait for milliseconds at a time, in its log for megabytes. It ends when
its input does: with its worker, however that one ends.
"""

import ctypes
import logging
import os
import platform
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from contract.command import prepare
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.endpoints.answering import AnsweringVersion, collect_rarely, tally
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema, encode
from serving.log.segment_frames import FrameKind
from serving.log.spool import Spool, SpoolEntry
from serving.log.writer import RecordGroup, WriterOptions, closed, write_group
from serving.protocols.protocol import BodyLimits
from serving.requests.errors import NOT_ANSWERED, Problem, place_of
from serving.requests.request import Request
from serving.scoring.cache import Cache, FetchedVersion
from serving.scoring.version import load_fetched

VERSIONS = 2  # that are held at once: the one that answers and the one before
LENGTHS = struct.Struct("<II")  # of the message and of the bytes that follow it
TURN_NS = 100_000_000  # the longest that the kernel gives
SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # the system call's number
NO_CALL = -1  # which the kernel refuses
SCHEDULING = struct.Struct("=IIQiIQQQ")  # struct sched_attr, its first version

logger = logging.getLogger(__name__)


class LargeBodyOptions(msgspec.Struct, frozen=True):
    """What the process is told first; `spool` is None where nothing is logged."""

    cache: str  # folder
    name: str
    code: str | None  # folder of the user's own classes
    log_secret: str
    limits: BodyLimits
    spool: WriterOptions | None
    niceness: int


class LargeBody(msgspec.Struct, frozen=True, array_like=True):
    """A request whose body follows, and the version that is to answer it."""

    call: Request
    protocol: str
    version: str
    digest: str


class ToldProblem(msgspec.Struct, frozen=True, array_like=True):
    """A `Problem` on its way to the worker."""

    reason: str
    what: str
    row: int | None
    column: str | None


class LargeAnswer(msgspec.Struct, frozen=True, array_like=True):
    """What came of a large body: its answer follows, or there is a problem."""

    n_rows: int = 0
    flags: dict[str, int] = {}  # how often each
    log_problem: str = ""  # why the rows could not be logged
    problem: ToldProblem | None = None


_read_options = msgspec.msgpack.Decoder(LargeBodyOptions).decode
_read_asked = msgspec.msgpack.Decoder(LargeBody).decode


Answering = tuple[AnsweringVersion, bytes]  # with the schema of its records


class LargeBodies:
    """Answers large bodies by whatever version it is told to."""

    def __init__(self, options: LargeBodyOptions) -> None:
        self._options, spool = options, options.spool
        self.niceness = options.niceness
        self._versions: dict[tuple[str, str], Answering] = {}
        self.spool = Spool(Path(spool.folder), spool.max_bytes, spool.max_age_s) if spool else None

    def answer(self, asked: LargeBody, body: bytes) -> tuple[LargeAnswer, bytes]:
        """The answer, once its rows are as durable as was asked."""
        try:
            version, schema = self._version(asked)
            record, answer = version.answer(asked.call, asked.protocol, body, datetime.now(UTC))
            log_problem = self._log(record, schema)
        except Problem as problem:
            return _refused(problem), b""
        except Exception as error:  # the boundary of the process: nothing of it reaches a caller
            logger.error("request %s: %s", asked.call.own_id, place_of(error))
            return _refused(Problem("internal", NOT_ANSWERED)), b""
        return LargeAnswer(record.n_rows, tally(record.flags), log_problem), answer

    def _log(self, record: PredictionRecord, schema: bytes) -> str:
        if self.spool is None or self._options.spool is None:
            return ""
        hashed = record.schema_hash
        entry = SpoolEntry(FrameKind.PREDICTIONS, hashed, record.n_rows, encode(record))
        return write_group(
            self.spool, RecordGroup({hashed: schema}, [entry]), self._options.spool.sync
        )

    def _version(self, asked: LargeBody) -> Answering:
        wanted = asked.version, asked.digest  # two versions may have one package
        if wanted not in self._versions:
            while len(self._versions) >= VERSIONS:
                del self._versions[next(iter(self._versions))]
            self._versions[wanted] = self._load(asked)
        return self._versions[wanted]

    def _load(self, asked: LargeBody) -> Answering:
        options = self._options
        fetched = FetchedVersion(asked.version, asked.digest, datetime.now(UTC))
        code = Path(options.code) if options.code else None
        served = load_fetched(Cache(Path(options.cache)), options.name, fetched, code)
        schema = RecordSchema.of(served.use_case)
        hiding = Pseudonymiser.of(served.use_case, options.log_secret)
        made = AnsweringVersion(served, schema.schema_hash, hiding, options.limits)
        return made, encode(schema)


def _refused(problem: Problem) -> LargeAnswer:
    told = ToldProblem(problem.reason, problem.what, problem.row, problem.column)
    return LargeAnswer(problem=told)


def serve(worker: socket.socket) -> None:
    """Answer each body that the worker at the other end sends, after the options.

    The next one comes after the answer. A segment that is old is closed whether or not one comes.
    """
    with suppress(ConnectionError):  # it is gone
        first = read_frame(worker)
        if first is None:
            return
        large = LargeBodies(_read_options(first[0]))
        spool, due_s = large.spool, None
        give_way(large.niceness)
        while True:
            if select.select([worker], [], [], due_s)[0]:
                frame = read_frame(worker)
                if frame is None:
                    break
                answer, body = large.answer(_read_asked(frame[0]), frame[1])
                for part in framed(answer, body):
                    worker.sendall(part)
            due_s = closed(spool.close_due) if spool else None
    if spool:
        closed(spool.close)


def framed(message: msgspec.Struct, body: bytes = b"") -> list[bytes]:
    """A message and bytes that belong to it, with their lengths before them."""
    head = encode(message)
    return [LENGTHS.pack(len(head), len(body)) + head, body]


def read_frame(worker: socket.socket) -> tuple[bytes, bytes] | None:
    """None at the end, and where the worker died while it sent one."""
    # Not through a buffer: what waits in one is nothing that `select` sees.
    lengths = worker.recv(LENGTHS.size, socket.MSG_WAITALL)
    if len(lengths) < LENGTHS.size:
        return None
    n_head, n_body = LENGTHS.unpack(lengths)
    head, body = (worker.recv(size, socket.MSG_WAITALL) for size in (n_head, n_body))
    return (head, body) if len(head) == n_head and len(body) == n_body else None


def give_way(niceness: int) -> None:
    """Ask the kernel for long turns, and for few: whoever wakes up may break into them at once.

    Otherwise a small request waits for the end of a turn each time that its worker has slept: up to
    4 ms where a body keeps every core busy. The writer of its record sleeps so often that only
    niceness helps it (decision 18). Linux 6.12 and later know of long turns (sched_setattr(2),
    `sched_runtime` of a normal task), others of the niceness only.
    """
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), niceness))
    number = SCHED_SETATTR.get(platform.machine(), NO_CALL)
    nice, flags = os.getpriority(os.PRIO_PROCESS, 0), 0
    attributes = SCHEDULING.pack(SCHEDULING.size, os.SCHED_OTHER, flags, nice, 0, TURN_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)  # refused, it stays as it was


def main() -> None:
    """Serve the worker at the other end of standard input."""
    prepare()
    for number in (signal.SIGINT, signal.SIGTERM):  # its worker ends after it has answered
        signal.signal(number, signal.SIG_IGN)
    collect_rarely()
    with socket.socket(fileno=sys.stdin.fileno()) as worker:
        serve(worker)


if __name__ == "__main__":
    main()
