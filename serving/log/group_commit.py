"""Group commit: requests that wait at the same moment share one write and one fdatasync.

What a turn of the event loop brings is handed over at its end, whatever the writer does: it takes
all that waits for it as one group. So the disk never waits for the worker.
"""

import asyncio
import logging
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from serving.log.record import encode
from serving.log.spool import SpoolEntry
from serving.log.writer import LENGTH, RecordGroup, WriterOptions

HERE = Path(__file__).resolve().parents[2]  # whence Python finds `serving.log.writer`
RESTART_S = 1.0  # a writer that died is not started twice within
CLOSED = "it is closed"  # of a log that its service has ended with
GONE = "its writer is gone"

logger = logging.getLogger(__name__)

Settled = Callable[[str], None]  # hears the problem, or "" once a record is as durable as asked
Waiting = tuple[SpoolEntry, Settled]


class GroupCommit:
    """The worker's end of `serving.log.writer`: hands it the records of one turn after another."""

    def __init__(self, spooling: WriterOptions) -> None:
        self._spooling = spooling
        self._schemas: dict[str, bytes] = {}
        self._new_schemas: dict[str, bytes] = {}  # schemas that this writer does not know yet
        self._next: list[Waiting] = []  # of this turn, or till there is a writer
        self._sent: deque[list[Waiting]] = deque()  # what the writer has, in order
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._writer: _Writer | None = None
        self._not_before_s = 0.0  # of time.monotonic()
        self._starting: asyncio.Task[None] | None = None

    def describe(self, schema_hash: str, payload: bytes) -> None:
        """Pass on a schema before the first entry of it."""
        self._schemas[schema_hash] = self._new_schemas[schema_hash] = payload

    def commit(self, entry: SpoolEntry, settled: Settled) -> None:
        """Write an entry with those that wait; `settled` is called once, in a later turn."""
        if self._closed:
            settled(CLOSED)
            return
        self._next.append((entry, settled))
        self._idle.clear()
        if len(self._next) == 1 and self._starting is None:
            # And all that this turn of the loop still brings.
            asyncio.get_running_loop().call_soon(self._hand_over)

    async def start(self) -> str:
        """Start the writer; the problem, or "". The first entry tries again where it failed."""
        self._not_before_s = time.monotonic() + RESTART_S
        spooling = msgspec.json.encode(self._spooling).decode()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            return f"its writer can't be started ({error})"
        try:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "serving.log.writer", spooling],
                    cwd=HERE,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the supervisor, which stops in order
                )
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(lambda: _Writer(self, process), ours)
        except Exception as error:  # whatever it is, those who wait must hear of it
            ours.close()
            return f"its writer can't be started ({error})"
        return ""

    async def close(self) -> None:
        """Write what waits and close the segment; from now on nothing is written."""
        self._closed = True
        await self._idle.wait()
        if self._writer:
            await self._writer.end()

    def began(self, writer: "_Writer") -> None:
        """A writer takes groups."""
        self._writer, self._new_schemas = writer, dict(self._schemas)

    def done(self, problem: str) -> None:
        """The writer has written what it got first, or could not."""
        self._settle(self._sent.popleft(), problem)

    def died(self) -> None:
        """There is no writer any more. Whether it has written what it had, nobody knows."""
        self._writer = None
        while self._sent:
            self.done(GONE)

    def _settle(self, group: list[Waiting], problem: str) -> None:
        if not self._sent and not self._next:
            self._idle.set()
        for _, settled in group:
            try:
                settled(problem)
            except Exception:  # the others must hear of it all the same
                logger.exception("an answer was not given")

    def _hand_over(self) -> None:
        if self._writer is None:
            self._starting = asyncio.ensure_future(self._start_again())
            return
        group, self._next = self._next, []
        schemas, self._new_schemas = self._new_schemas, {}
        self._sent.append(group)
        self._writer.send(RecordGroup(schemas, [entry for entry, _ in group]))

    async def _start_again(self) -> None:
        too_soon = time.monotonic() < self._not_before_s
        problem = GONE if too_soon else await self.start()
        self._starting = None
        if self._writer:
            self._hand_over()
        else:
            group, self._next = self._next, []
            self._settle(group, problem or GONE)


class _Writer(asyncio.Protocol):
    """One run of the process, by the socket that is its standard input."""

    def __init__(self, commit: GroupCommit, process: "subprocess.Popen[bytes]") -> None:
        self._commit, self._process = commit, process
        self._received = b""
        self._lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It may still be starting: what it is sent waits for it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derives from nothing
        self._commit.began(self)

    def send(self, group: RecordGroup) -> None:
        """Hand it a group; where that fails the writer is dropped, and what it has fails."""
        try:
            body = encode(group)
            self._transport.writelines([LENGTH.pack(len(body)), body])
        except Exception:  # uvloop raises where the connection is about to be lost
            logger.exception("a group could not be handed to the writer")
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """A line for each group."""
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            self._commit.done(line.decode())

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, and all its answers were read."""
        # A daemon: a loop that ends without `end` must not wait for a process that waits for it.
        self._reaping = threading.Thread(target=self._process.wait, daemon=True)
        self._reaping.start()
        self._lost.set()
        self._commit.died()

    async def end(self) -> None:
        """Let it close its segment and end."""
        self._transport.write_eof()
        await self._lost.wait()
        await asyncio.to_thread(self._reaping.join)
