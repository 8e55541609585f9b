"""One turn of the event loop: all that it brings is read first, then answered, then written.

Between two calls of the system one answer follows another, and finds the processor's caches and
address tables as the one before has left them: a call of the system takes both (decision 36). What
is written to a connection leaves in one call: uvicorn writes the head and the body of an answer one
by one, which costs two, and two wake-ups of the client.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from serving.requests.errors import place_of

logger = logging.getLogger(__name__)


class Reader(Protocol):
    """Takes what came for it."""

    def take(self, data: bytes) -> None:
        """Read, and perhaps answer."""

    def abort(self) -> None:
        """End at once: it has failed."""


class LoopTurn:
    """What came in this turn of a worker's loop, and what waits for its end."""

    def __init__(self) -> None:
        self._came: list[tuple[Reader, bytes]] = []
        self._ending: list[Callable[[], None]] = []
        self._is_due = False

    def came(self, reader: Reader, data: bytes) -> None:
        """Hand `data` to its reader once all that this turn brings has been read."""
        self._came.append((reader, data))
        self._schedule()

    def at_end(self, call: Callable[[], None]) -> None:
        """Call it once all that came has been taken."""
        self._ending.append(call)
        self._schedule()

    def run(self) -> None:
        """Let the readers take what came, in its order, and end the turn."""
        came, self._came = self._came, []
        for reader, data in came:
            try:
                reader.take(data)
            except Exception as error:  # the others must be answered all the same
                logger.error("a connection failed: %s", place_of(error))
                reader.abort()
        ending, self._ending = self._ending, []
        for call in ending:
            call()

    def _schedule(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._run_due)

    def _run_due(self) -> None:
        self._is_due = False
        self.run()


class CoalescingTransport:
    """A transport that holds back what is written until the turn ends."""

    __slots__ = ("_transport", "_turn", "_waiting", "is_closing")

    def __init__(self, transport: asyncio.Transport, turn: LoopTurn) -> None:
        self._transport, self._turn = transport, turn
        self._waiting: list[bytes] = []
        self.is_closing = transport.is_closing  # is asked for each request

    def write(self, data: bytes) -> None:
        """Write at the end of this turn, in order."""
        if not self._waiting:
            self._turn.at_end(self._flush)
        self._waiting.append(data)

    def write_last(self, data: bytes) -> None:
        """Write what nothing follows in this turn: now, if nothing waits that came before."""
        if self._waiting:
            self._waiting.append(data)
        else:
            self._write(data)

    def close(self) -> None:
        """Close once everything is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self._transport.write(data)
        except RuntimeError:  # uvloop's for a connection that was lost in this very turn
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
