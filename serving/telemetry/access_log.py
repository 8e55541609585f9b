"""One JSON line for each request, written outside the event loop; no value of a row is in it."""

import sys
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from contract.settings import Settings
from serving.requests.request import Request

EVERY_S = 0.05  # between two batches
MOST_WAITING = 100_000  # lines; a stream that takes nothing must not eat the memory


_encode = msgspec.json.Encoder().encode


class AccessLogLine(msgspec.Struct, omit_defaults=True, tag_field="event", tag="request"):
    """What is written of a request."""

    time: datetime  # of the answer, UTC
    request_id: str
    method: str
    route: str  # the path's pattern: a path is the caller's text
    status: int
    duration_ms: float
    prediction_request_id: str | None = None  # when the caller named the request himself
    rows: int = 0
    bytes_in: int = 0
    version: str | None = None
    reason: str | None = None  # why no rows came back
    key: str | None = None


class AccessLog:
    """Takes calls on the event loop and writes their lines a little later, in a thread of its own.

    The thread does nothing but write, which may block: where it put the lines together, that cost
    about twice as much and held the interpreter (decision 36).
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self._noted = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        if self._stream is not None:
            self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._ending = True
        self._noted.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def note(self, call: Request, route: str, status: int, seconds: float) -> None:
        """Take an answered call."""
        if self._stream is not None:
            self._waiting.append(_encode(_line(call, route, status, seconds)))
            if not self._noted.is_set():
                self._noted.set()

    def _run(self) -> None:
        while not self._ending or self._waiting:
            self._noted.wait()
            time.sleep(EVERY_S)
            self._noted.clear()  # before the look: what comes from now on wakes the thread again
            if noted := [self._waiting.popleft() for _ in range(len(self._waiting))]:
                self._write(b"\n".join(noted).decode())

    def _write(self, lines: str) -> None:
        assert self._stream
        with suppress(OSError):  # a full disk costs these lines; there is no other place to say so
            self._stream.write(lines + "\n")
            self._stream.flush()


def open_access_log(settings: Settings) -> AccessLog:
    """Lines on standard error, or none."""
    return AccessLog(sys.stderr if settings.serve_access_log else None)


def _line(call: Request, route: str, status: int, seconds: float) -> AccessLogLine:
    # By position: names would cost a sixth of it.
    own_id, given_id = call.own_id, call.given_id
    return AccessLogLine(
        datetime.now(UTC),
        given_id or own_id,
        call.method,
        route,
        status,
        int(seconds * 1e6) / 1e3,
        own_id if given_id else None,
        call.rows,
        call.bytes_in,
        call.version,
        call.reason,
        call.key,
    )
