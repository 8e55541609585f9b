"""Which bodies are worked on where they are read, on the event loop, and which in a thread."""

import time

FEW_ROWS_BYTES = 8 * 1024  # about 20 rows, a quarter of a millisecond
SOME_ROWS_BYTES = 16 * 1024  # about 100 rows, a millisecond
FEW_ASIDE_S = 0.1  # after a body of few rows, whose like may come
SLOW_S, SLOW_ASIDE_S = 0.005, 10.0  # after a body of some rows that took so long


class LoopShare:
    """One of few rows always. One of some rows, which takes a third less there than in a thread,
    while nobody of few rows would wait for it, and while the model is no slow one."""

    def __init__(self) -> None:
        self._aside_until = 0.0  # by time.monotonic(): bodies of some rows go to a thread

    def allows(self, length: int) -> bool:
        """Whether a body of so many bytes, which has come, may be worked on there."""
        now = time.monotonic()
        if length <= FEW_ROWS_BYTES:
            self._aside_until = max(self._aside_until, now + FEW_ASIDE_S)
            return True
        return length <= SOME_ROWS_BYTES and now > self._aside_until

    def took(self, length: int, seconds: float) -> None:
        """Learn how long a body of so many bytes was worked on there."""
        if length > FEW_ROWS_BYTES and seconds > SLOW_S:
            self._aside_until = time.monotonic() + SLOW_ASIDE_S
