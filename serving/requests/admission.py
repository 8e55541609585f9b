"""How many requests may be in work at once, and how much of their bodies in memory."""

import asyncio

from serving.requests.errors import Problem
from serving.requests.request import CLOSE, Request, too_large

HOLD_S = 0.02  # before a 503: callers that repeat at once must not take up the capacity
BODIES = 8  # so many bodies of the largest size may be in memory at once
UNSTATED = 64 * 1024  # bytes that are booked at first for a body without Content-Length
OVERLOADED = "Too many requests are in work; try again in a second."


class Admission:
    """The places of one worker: `most` requests, and memory for bodies of `largest` bytes."""

    def __init__(self, most: int, largest: int) -> None:
        self._most, self._largest = most, largest
        self.in_work = self.bytes = 0

    def is_full(self, length: int) -> bool:
        """Whether there is no place for one more, with a body of so many bytes."""
        return self.in_work >= self._most or not self._fits(length)

    def take(self, call: Request, length: int) -> None:
        """Take a place; `leave` gives it back."""
        self.in_work += 1
        self.bytes += length
        call.booked = length

    def leave(self, call: Request) -> None:
        """Give back a place and all that was booked for its body."""
        self.in_work -= 1
        self.bytes -= call.booked

    async def admit(self, call: Request) -> None:
        """Take a place, or answer 503 after a short pause, which slows down repeated requests."""
        length = call.length
        if length is None:
            length = min(UNSTATED, self._largest)
        elif length > self._largest:
            raise too_large(self._largest)
        if self.is_full(length):
            await asyncio.sleep(HOLD_S)
            raise Problem("overloaded", OVERLOADED)
        self.take(call, length)

    def book(self, call: Request, size: int) -> None:
        """Take memory for what came of a body without Content-Length, or answer 503."""
        more = size - call.booked
        if not self._fits(more):
            raise Problem("overloaded", OVERLOADED, headers=[*CLOSE])
        self.bytes += more
        call.booked = size

    def _fits(self, more: int) -> bool:
        return self.bytes + more <= BODIES * self._largest
