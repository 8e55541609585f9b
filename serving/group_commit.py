"""Group commit: requests that wait at the same moment share one write and one fdatasync."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from serving.record import encode
from serving.spool import Entry
from serving.writer import LENGTH, Group, Spooling

HERE = Path(__file__).resolve().parent.parent  # whence Python finds `serving.writer`
RESTART_S = 1.0  # a writer that died is not started twice within
CLOSED = "it is closed"  # of a log that its service has ended with
DIED = "its writer died"

Waiting = tuple[Entry, asyncio.Future[str]]


class GroupCommit:
    """The worker's end of `serving.writer`: hands it one group after another.

    While a group is written the next one grows; it is handed over before the requests of the first
    are told, so that the disk and the answers keep each other waiting as little as possible.
    """

    def __init__(self, spooling: Spooling) -> None:
        self.spooling = spooling
        self._schemas: dict[str, bytes] = {}
        self._untold: dict[str, bytes] = {}  # schemas that this writer does not know yet
        self._next: list[Waiting] = []
        self._group: list[Waiting] = []  # what the writer has now
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._writer: _Writer | None = None
        self._not_before_s = 0.0  # of time.monotonic()

    def describe(self, schema_hash: str, payload: bytes) -> None:
        """Make a schema known before the first entry of it."""
        self._schemas[schema_hash] = self._untold[schema_hash] = payload

    def commit(self, entry: Entry) -> asyncio.Future[str]:
        """The problem, or "" once the entry is as durable as was asked."""
        loop = asyncio.get_running_loop()
        written: asyncio.Future[str] = loop.create_future()
        if self._closed:
            written.set_result(CLOSED)
            return written
        self._next.append((entry, written))
        if self._idle.is_set():
            self._idle.clear()
            loop.call_soon(self._hand_over)  # and all that this turn of the loop still brings
        return written

    async def start(self) -> None:
        """Start the writer; a problem is told to those who need it."""
        self._not_before_s = time.monotonic() + RESTART_S
        arguments = "-m", "serving.writer", msgspec.json.encode(self.spooling).decode()
        _, self._writer = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Writer(self._outcome, self._died),
            *(sys.executable, *arguments),
            stderr=None,
            cwd=HERE,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops in order
        )
        self._untold = dict(self._schemas)

    async def close(self) -> None:
        """Write what waits and close the segment; from now on nothing is written."""
        self._closed = True
        await self._idle.wait()
        if self._writer:
            await self._writer.end()

    def _hand_over(self) -> None:
        if self._writer is None:
            self._starting = asyncio.ensure_future(self._start_again())
            return
        self._group, self._next = self._next, []
        group = encode(Group(self._untold, [entry for entry, _ in self._group]))
        self._untold = {}
        self._writer.send(LENGTH.pack(len(group)) + group)

    async def _start_again(self) -> None:
        problem = DIED
        if time.monotonic() >= self._not_before_s:
            try:
                await self.start()
                self._hand_over()
                return
            except OSError as error:
                problem = f"its writer can't be started: {error.strerror}"
        self._group, self._next = self._next, []
        self._outcome(problem)

    def _died(self) -> None:
        self._writer = None
        if self._group:  # whether it was written before, nobody knows
            self._outcome(DIED)

    def _outcome(self, problem: str) -> None:
        group, self._group = self._group, []
        if self._next:
            self._hand_over()
        else:
            self._idle.set()
        for _, written in group:
            if not written.done():  # its caller has gone away
                written.set_result(problem)


class _Writer(asyncio.SubprocessProtocol):
    """One run of the process."""

    def __init__(self, outcome: Callable[[str], None], died: Callable[[], None]) -> None:
        self._outcome, self._died = outcome, died
        self._said = b""
        self._ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It runs."""
        # By their interfaces: those of uvloop derive from nothing.
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._groups = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        self._groups.set_write_buffer_limits(0)  # uvloop else writes at the end of its turn

    def send(self, data: bytes) -> None:
        """Hand it a group."""
        self._groups.write(data)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """A line for each group."""
        self._said += data
        if self._said.endswith(b"\n"):
            problem, self._said = self._said[:-1].decode(), b""
            self._outcome(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended and all it said was read."""
        self._transport.close()
        self._ended.set()
        self._died()

    async def end(self) -> None:
        """Let it close its segment and end."""
        self._groups.close()
        await self._ended.wait()
