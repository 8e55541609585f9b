"""The outermost layer, plain ASGI: who may come in and how many at once, ids, counts, log lines.

Routes that answer rows are served from here; every other path goes on to FastAPI. A FastAPI
handler costs 100 µs a request, which is more than checking, scoring and logging a row together.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from contract.settings import Settings
from serving.log.prediction_record import LogFull
from serving.requests.api_keys import Keys
from serving.requests.errors import Dialect, Headers, Problem, Response, place_of
from serving.requests.request import (
    CLOSE,
    ClientDisconnected,
    Receive,
    Request,
    read_body,
    read_head,
    too_large,
)
from serving.telemetry.access_log import AccessLog
from serving.telemetry.metrics import Metrics

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HOLD_S = 0.02  # before a 503: a caller that asks again at once must not eat the capacity
BODIES = 8  # so many bodies of the largest size may be in memory at once
UNTOLD = 64 * 1024  # bytes that are booked at first for a body whose length is not told
OVERLOADED = "Too many requests are in work; try again in a second."
CLIENT_GONE = 499  # nginx's status for it; nobody receives it
OTHER = "other"  # route of a path that is not ours

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BodyRoute:
    """A route that is served here: POST with a body."""

    route: str
    scope: str  # that a key needs
    dialect: Dialect
    media_types: tuple[str, ...]
    answer: Callable[[Request, bytes], Awaitable[Response]]


class Gateway:
    """All requests of one worker come through here."""

    def __init__(
        self,
        inside: App,
        hot: Callable[[str], BodyRoute | None],
        settings: Settings,
        keys: Keys,
        metrics: Metrics,
        access_log: AccessLog,
    ) -> None:
        self._inside, self._hot, self._settings = inside, hot, settings
        self._keys, self._metrics, self._access_log = keys, metrics, access_log
        self._in_work = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = read_head(scope)
        hot = self._hot(call.path)
        if hot is None:
            await self._cold(call, scope, receive, send)
            return
        try:
            answer = await self._answer(call, hot, receive)
        except ClientDisconnected:
            self._note(call, hot.route, CLIENT_GONE)
            return
        headers = [
            (b"content-type", answer.media_type),
            (b"content-length", str(len(answer.body)).encode()),
            *self._about(call),
            *answer.headers,
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        self._note(call, hot.route, answer.status)

    async def _answer(self, call: Request, hot: BodyRoute, receive: Receive) -> Response:
        settings = self._settings
        try:
            if call.method != "POST":
                sentence = f"{hot.route} takes POST."
                raise Problem("method", sentence, headers=[(b"allow", b"POST")])
            call.key = self._keys.admit(call.headers.get(b"authorization"), hot.scope)
            _expect(call, hot.media_types)
            await self._admit(call)
            try:
                limits = settings.serve_max_bytes, settings.serve_body_s
                return await hot.answer(call, await read_body(call, receive, *limits, self._book))
            finally:
                self._in_work -= 1
                self._bytes -= call.booked
        except Problem as problem:
            call.reason = problem.reason
            return hot.dialect(problem, call.own_id)
        except LogFull as error:
            return hot.dialect(self._said(call, "log_full", str(error)), call.own_id)
        except ClientDisconnected:
            raise
        except Exception as error:  # the boundary of the process: nothing of it reaches a caller
            logger.error("request %s: %s", call.own_id, place_of(error))
            sentence = "The request could not be answered; the service's log says where it failed."
            return hot.dialect(self._said(call, "internal", sentence), call.own_id)

    async def _admit(self, call: Request) -> None:
        """Take a place, or say 503: fast, and yet not so fast that asking again at once pays."""
        length, largest = call.length, self._settings.serve_max_bytes
        if length is None:
            length = min(UNTOLD, largest)
        elif length > largest:
            raise too_large(largest)
        full = self._in_work >= self._settings.serve_concurrency
        if full or self._bytes + length > BODIES * largest:
            await asyncio.sleep(HOLD_S)
            raise Problem("overloaded", OVERLOADED)
        self._in_work += 1
        self._bytes += length
        call.booked = length

    def _book(self, call: Request, size: int) -> None:
        """Take memory for what came of a body whose length is not told, or say 503."""
        more = size - call.booked
        if self._bytes + more > BODIES * self._settings.serve_max_bytes:
            raise Problem("overloaded", OVERLOADED, headers=[*CLOSE])
        self._bytes += more
        call.booked = size

    async def _cold(self, call: Request, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._about(call)]
            await send(message)

        try:
            await self._inside(scope, receive, noting)
        finally:
            route = scope.get("route")
            self._note(call, getattr(route, "path", OTHER), status)

    @staticmethod
    def _said(call: Request, reason: str, sentence: str) -> Problem:
        call.reason = reason
        return Problem(reason, sentence)

    @staticmethod
    def _about(call: Request) -> Headers:
        headers = [(b"x-request-id", call.request_id.encode())]
        if call.given_id:
            headers.append((b"x-prediction-request-id", call.own_id.encode()))
        if call.version:
            headers.append((b"x-model-version", call.version.encode()))
        return headers

    def _note(self, call: Request, route: str, status: int) -> None:
        seconds = time.perf_counter() - call.started
        self._metrics.request(route, status, seconds)
        if call.reason:
            self._metrics.rejection(call.reason)
        self._access_log.note(call, route, status, seconds)


def _expect(call: Request, media_types: tuple[str, ...]) -> None:
    if call.media_type not in media_types:
        sentence = f"Content-Type {' or '.join(media_types)}, in UTF-8 and not packed, is needed."
        raise Problem("media_type", sentence)
