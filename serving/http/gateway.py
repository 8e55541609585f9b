"""The outermost layer, plain ASGI: who may come in and how many at once, ids, counts, log lines.

Routes that answer rows are served from here; every other path goes on to FastAPI. A FastAPI
handler costs 100 µs a request, which is more than checking, scoring and logging a row together.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from serving.endpoints.context import WorkerContext
from serving.endpoints.predictions import Done
from serving.http.head_rules import check_head
from serving.http.loop_turn import LoopTurn
from serving.http.methods import methods_answer
from serving.http.refusal import REFUSAL, Refusal, Write
from serving.log.prediction_record import LogFull
from serving.protocols.registry import error_format
from serving.requests.admission import Admission
from serving.requests.errors import (
    NOT_ANSWERED,
    ErrorFormat,
    Headers,
    Problem,
    Response,
    place_of,
)
from serving.requests.request import (
    App,
    ClientDisconnected,
    Receive,
    Request,
    Scope,
    Send,
    read_body,
    read_head,
)

CLIENT_GONE = 499  # nginx's status for it; nobody receives it
OTHER = "other"  # route of a path that is not ours
TAKES = b"POST, OPTIONS"  # methods of the routes here
PLAIN = re.compile(rb"[A-Za-z0-9/._~-]+")  # no query, and nothing that is written in another way

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BodyRoute:
    """A route that is served here: POST with a body."""

    route: str  # `{name}` in it stands for any text
    scope: str  # that a key needs
    error: ErrorFormat
    media_types: tuple[str, ...]
    answer: Callable[[Request, bytes], Awaitable[Response]]
    answer_small: Callable[[Request, bytes, Done], None] | None = None  # without a task of its own


def finder(routes: Sequence[BodyRoute]) -> Callable[[str], BodyRoute | None]:
    """The route that serves a path; None for all others."""
    exact = {route.route: route for route in routes if "{" not in route.route}
    patterns = [
        (route.route.partition("{")[0], route.route.rpartition("}")[2], route)
        for route in routes
        if "{" in route.route
    ]

    def find(path: str) -> BodyRoute | None:
        route = exact.get(path)
        if route is None:
            for start, end, candidate in patterns:
                if path.startswith(start) and path.endswith(end):
                    return candidate
        return route

    return find


class Gateway:
    """Wraps the application of one worker: all its requests come through here."""

    def __init__(self, app: App, routes: Sequence[BodyRoute], context: WorkerContext) -> None:
        self._app, self._find, self._settings = app, finder(routes), context.settings
        self.route_of = lru_cache(maxsize=256)(self._route_of)  # three looks at it cost 1 µs
        self._keys, self._metrics = context.keys, context.metrics
        self._access_log = context.access_log
        self.turn = LoopTurn()
        settings = context.settings
        self.admission = Admission(settings.serve_concurrency, settings.serve_max_bytes)
        self._loop_share = context.loop_share

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; start and stop of the service go on to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = read_head(scope)
        if call.path[-1:] == "/" != call.path:  # a slash at the end changes nothing
            call.path = scope["path"] = call.path[:-1]
        route = self._find(call.path)
        if route is None:
            await self._forward(call, scope, receive, send)
            return
        try:
            check_head(call, scope)
            if call.method == "OPTIONS":
                await self._tell_methods(call, route.route, send)
                return
            answer = await self._answer(call, route, receive)
        except Problem as problem:
            call.reason = problem.reason
            answer = route.error(problem, call.own_id)
        except ClientDisconnected:
            if not self._said_broken(call, route.route, route.error, scope):
                self._note(call, route.route, CLIENT_GONE)
            return
        await self._send(call, route.route, answer, send)

    def _route_of(self, target: bytes) -> BodyRoute | None:
        """The route here of a request's target that is a path and means what it says."""
        return self._find(target.decode()) if PLAIN.fullmatch(target) else None

    def answer_small(self, head: Scope, route: BodyRoute, body: bytes, write: Write) -> bool:
        """Answer a request that came as a whole, now or as soon as its record is safe.

        False, and nothing was done, where it has to go the way of all others.
        """
        length = len(body)
        if not route.answer_small or length > self._settings.serve_large_bytes:
            return False
        if self.admission.is_full(length) or not self._loop_share.allows(length):
            return False
        began = time.monotonic()
        call = read_head(head)
        done = partial(self._answered, call, route, write)
        self.admission.take(call, length)
        try:
            check_head(call, head)
            self._let_in(call, route)
            call.bytes_in = length
            route.answer_small(call, body, done)
        except Exception as error:
            done(error)
        self._loop_share.took(length, time.monotonic() - began)
        return True

    def _answered(
        self, call: Request, route: BodyRoute, write: Write, outcome: Response | Exception
    ) -> None:
        self.admission.leave(call)
        answer = outcome if isinstance(outcome, Response) else self._refused(call, route, outcome)
        write(answer.status, self._head(call, answer), answer.body)
        self._note(call, route.route, answer.status)

    def refuse(self, problem: Problem, write: Write) -> None:
        """Answer what is no request, so far as anybody can tell."""
        call = read_head({"method": "-", "path": "", "headers": []})
        self._refuse(call, OTHER, error_format(call.path), Refusal(problem, write))

    async def _send(self, call: Request, route: str, answer: Response, send: Send) -> None:
        headers = self._head(call, answer)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        self._note(call, route, answer.status)

    async def _tell_methods(self, call: Request, route: str, send: Send) -> None:
        start = methods_answer(TAKES, self._about(call))
        await send(start)
        await send({"type": "http.response.body", "body": b""})
        self._note(call, route, start["status"])

    def _head(self, call: Request, answer: Response) -> Headers:
        return [
            (b"content-type", answer.media_type),
            (b"content-length", str(len(answer.body)).encode()),
            *self._about(call),
            *answer.headers,
        ]

    def _said_broken(self, call: Request, route: str, form: ErrorFormat, scope: Scope) -> bool:
        """Whether the body of a request was none, which is answered then."""
        refusal: Refusal | None = scope.get("state", {}).get(REFUSAL)
        if refusal:
            self._refuse(call, route, form, refusal)
        return refusal is not None

    def _refuse(self, call: Request, route: str, form: ErrorFormat, refusal: Refusal) -> None:
        call.reason = refusal.problem.reason
        answer = form(refusal.problem, call.own_id)
        refusal.write(answer.status, self._head(call, answer), answer.body)
        self._note(call, route, answer.status)

    async def _answer(self, call: Request, route: BodyRoute, receive: Receive) -> Response:
        settings = self._settings
        try:
            if call.method != "POST":
                sentence = f"{route.route} takes POST."
                raise Problem("method", sentence, headers=[(b"allow", TAKES)])
            self._let_in(call, route)
            await self.admission.admit(call)
            try:
                limits = settings.serve_max_bytes, settings.serve_body_s
                body = await read_body(call, receive, *limits, self.admission.book)
                return await route.answer(call, body)
            finally:
                self.admission.leave(call)
        except ClientDisconnected:
            raise
        except Exception as error:
            return self._refused(call, route, error)

    def _let_in(self, call: Request, route: BodyRoute) -> None:
        """A Problem unless the caller may ask this, and sends what is read here."""
        call.key = self._keys.admit(call.headers.get(b"authorization"), route.scope)
        _expect(call, route.media_types)

    def _refused(self, call: Request, route: BodyRoute, error: Exception) -> Response:
        """The boundary of the process: nothing of an error that is no Problem reaches a caller."""
        if isinstance(error, LogFull):
            error = Problem("log_full", str(error))
        elif not isinstance(error, Problem):
            logger.error("request %s: %s", call.own_id, place_of(error))
            error = Problem("internal", NOT_ANSWERED)
        call.reason = error.reason
        return route.error(error, call.own_id)

    async def _forward(self, call: Request, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def noting(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *self._about(call)]
            await send(message)

        try:
            check_head(call, scope)
            await self._app(scope, receive, noting)
        except Problem as problem:  # of the head; the application answers its own
            call.reason = problem.reason
            await self._send(call, OTHER, error_format(call.path)(problem, call.own_id), send)
            return
        except BaseException:
            self._note(call, getattr(scope.get("route"), "path", OTHER), status)
            raise
        pattern = getattr(scope.get("route"), "path", OTHER)
        if not self._said_broken(call, pattern, error_format(call.path), scope):
            self._note(call, pattern, status)

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
    if call.media_type in media_types:
        return
    if call.packed:
        sentence = "The body is packed (Content-Encoding); it is needed as it is."
        raise Problem("media_type", sentence, headers=[(b"accept-encoding", b"identity")])
    if call.media_type is None:
        raise Problem("media_type", "Content-Type must be a media type, and its charset UTF-8.")
    named = " or ".join(filter(None, media_types))
    raise Problem("media_type", f"Content-Type {named} is needed.")
