"""The worker's end of `serving.endpoints.large_bodies`: hands each large body to an idle process.

A process is started when a body comes and none is idle, up to as many as the settings say. Until
one is idle, bodies wait in their order. A process has one body at a time, so what it needs of
memory is what one body needs.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec

from contract.processes import GIVE_WAY, GIVE_WAY_AT_ONCE
from contract.settings import Settings
from serving.endpoints.large_bodies import (
    LENGTHS,
    LargeAnswer,
    LargeBody,
    LargeBodyOptions,
    framed,
)
from serving.requests.errors import Problem

HERE = Path(__file__).resolve().parents[2]  # whence Python finds `serving.endpoints.large_bodies`
MOST = 4  # processes of one worker; each takes the memory of a worker
RESTART_S = 1.0  # after one died, so long none is started
BROKEN_OFF = "The process that worked on this body has ended; try again in a second."

logger = logging.getLogger(__name__)

_read_answer = msgspec.msgpack.Decoder(LargeAnswer).decode


def processes_of(settings: Settings) -> int:
    """How many a worker may have: by default one less than it has cores, so that small requests
    find one."""
    cores = len(os.sched_getaffinity(0)) // settings.serve_workers
    return settings.serve_large_processes or min(max(1, cores - 1), MOST)


def niceness_of(settings: Settings, logs: bool) -> int:
    """How nice they are where records are written, for the writer of a small request's would wait
    for a core: twice as nice where they may keep every core busy (decisions 18 and 34)."""
    if not logs:
        return 0
    busy = settings.serve_workers * processes_of(settings)
    return GIVE_WAY_AT_ONCE if busy >= len(os.sched_getaffinity(0)) else GIVE_WAY


class LargeBodyProcesses:
    """The processes of one worker."""

    def __init__(self, options: LargeBodyOptions, most: int) -> None:
        self._options, self._places = options, asyncio.Semaphore(most)
        self._idle: list[_LargeBodyProcess] = []
        self._not_before_s = 0.0  # of time.monotonic()

    async def answer(self, asked: LargeBody, body: bytes) -> tuple[LargeAnswer, bytes]:
        """What the process says; the Problem that it tells, or that it has ended."""
        async with self._places:
            process = await self._next()
            try:
                answer, content = await process.answer(asked, body)
            except BaseException:  # it has ended, or the service ends and waits no longer
                process.abort()
                self._not_before_s = time.monotonic() + RESTART_S
                raise
            self._idle.append(process)
        if told := answer.problem:
            raise Problem(told.reason, told.what, told.row, told.column)
        return answer, content

    async def close(self) -> None:
        """Let them close their segments and end; nothing may be in work."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(process.end() for process in idle))

    async def _next(self) -> "_LargeBodyProcess":
        """An idle process, or a new one."""
        while self._idle:
            process = self._idle.pop()
            if not process.ended:
                return process
        await asyncio.sleep(self._not_before_s - time.monotonic())
        return await self._start()

    async def _start(self) -> "_LargeBodyProcess":
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise _not_started(error) from error
        try:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "serving.endpoints.large_bodies"],
                    cwd=HERE,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                )
            loop = asyncio.get_running_loop()
            _, started = await loop.connect_accepted_socket(
                lambda: _LargeBodyProcess(process), ours
            )
        except OSError as error:
            ours.close()
            raise _not_started(error) from error
        started.tell(framed(self._options))
        return started


def _not_started(error: OSError) -> Problem:
    logger.warning("a process for large bodies can't be started: %s", error)
    return Problem("interrupted", BROKEN_OFF)


class _LargeBodyProcess(asyncio.Protocol):
    """One run of the process, by the socket that is its standard input."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[LargeAnswer, bytes]] | None = None
        self._lost = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether it takes no body any more."""
        return self._lost.is_set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It may still be starting: what it is sent waits for it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's derives from nothing

    def tell(self, frame: Sequence[bytes]) -> None:
        """Send it a frame."""
        self._transport.writelines(frame)

    async def answer(self, asked: LargeBody, body: bytes) -> tuple[LargeAnswer, bytes]:
        """What it makes of a body; a Problem where it ends meanwhile."""
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self.tell(framed(asked, body))
        except RuntimeError as error:  # uvloop's where the connection is about to be lost
            raise Problem("interrupted", BROKEN_OFF) from error
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """A part of its answer."""
        self._received += data
        if len(self._received) < LENGTHS.size:
            return
        n_head, n_body = LENGTHS.unpack_from(self._received)
        end = LENGTHS.size + n_head
        if len(self._received) == end + n_body and self._answer and not self._answer.done():
            received, self._received = memoryview(self._received), bytearray()
            answer = _read_answer(received[LENGTHS.size : end])
            self._answer.set_result((answer, bytes(received[end:])))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, whatever it was doing; of an answer that is not whole nothing is used."""
        # A daemon: a loop that ends without `end` must not wait for a process that waits for it.
        self._reaping = threading.Thread(target=self._process.wait, daemon=True)
        self._reaping.start()
        self._lost.set()
        if self._answer and not self._answer.done():
            logger.warning("a process for large bodies ended while it worked on one")
            self._answer.set_exception(Problem("interrupted", BROKEN_OFF))

    def abort(self) -> None:
        """Hear nothing more of it; it ends when it notices."""
        self._transport.abort()

    async def end(self) -> None:
        """Let it close its segment and end."""
        if not self.ended:
            self._transport.write_eof()
            await self._lost.wait()
        await asyncio.to_thread(self._reaping.join)
