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

EVERY_S = 0.02  # a batch holds the interpreter: at 7,000 requests/s for less than a millisecond
MOST_WAITING = 100_000  # lines; a stream that takes nothing must not eat the memory


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
    """Takes lines at once and writes them a little later, in a thread of its own."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._waiting: deque[tuple[float, Request, str, int, float]] = deque(maxlen=MOST_WAITING)
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
        """Take an answered call; what is written of it is put together later."""
        if self._stream is not None:
            self._waiting.append((time.time(), call, route, status, seconds))
            if not self._noted.is_set():
                self._noted.set()

    def _run(self) -> None:
        encode = msgspec.json.Encoder().encode
        while not self._ending or self._waiting:
            self._noted.wait()
            time.sleep(EVERY_S)
            self._noted.clear()  # before the look: what comes from now on wakes the thread again
            noted = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if noted:
                self._write(b"\n".join(encode(_line(*answered)) for answered in noted).decode())

    def _write(self, lines: str) -> None:
        assert self._stream
        with suppress(OSError):  # a full disk costs these lines; there is no other place to say so
            self._stream.write(lines + "\n")
            self._stream.flush()


def open_access_log(settings: Settings) -> AccessLog:
    """Lines on standard error, or none."""
    return AccessLog(sys.stderr if settings.serve_access_log else None)


def _line(answered: float, call: Request, route: str, status: int, seconds: float) -> AccessLogLine:
    return AccessLogLine(
        time=datetime.fromtimestamp(answered, UTC),
        request_id=call.request_id,
        method=call.method,
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 3),
        prediction_request_id=call.own_id if call.given_id else None,
        rows=call.rows,
        bytes_in=call.bytes_in,
        version=call.version,
        reason=call.reason,
        key=call.key,
    )
