"""One turn of the event loop: all that it brings is read first, then answered, then written.

Between two calls of the system one answer follows another, and finds the processor's caches and
address tables as the one before has left them: a call of the system takes both (decision 36).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

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
