"""From the body of a request to its answer: decode, check, score, log, encode.

A small body is answered where it arrives, on the event loop (serving.requests.loop_share): a hop to
a thread would cost a third of the throughput. A larger one is worked on in a thread beside the
loop, one at a time. Those over FOURCYCLE_SERVE_LARGE_BYTES go to processes of their own
(serving.endpoints.large_bodies): a thread holds the interpreter for milliseconds at a time, for
which small requests would wait.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from contract.use_case.pseudonymisation import Pseudonymiser
from serving.endpoints.answering import AnsweringVersion, tally
from serving.endpoints.context import WorkerContext
from serving.endpoints.large_bodies import LargeAnswer, LargeBody, LargeBodyOptions
from serving.endpoints.large_body_processes import LargeBodyProcesses, niceness_of, processes_of
from serving.log.prediction_record import LogFull, PredictionRecord
from serving.protocols.protocol import BodyLimits, Protocol
from serving.requests.errors import JSON, Problem, Response, nothing_served
from serving.requests.request import Request

Done = Callable[[Response | LogFull], None]


class PredictionEndpoint:
    """Answers rows by any protocol."""

    def __init__(self, context: WorkerContext) -> None:
        self._current, self._log, self._settings = context.current, context.log, context.settings
        self._metrics, self._clock = context.metrics, context.clock
        self._loop_share = context.loop_share
        self._answering: AnsweringVersion | None = None
        self._large = LargeBodyProcesses(_options(context), processes_of(context.settings))
        # Two at a time are no faster: each waits for the other's turn.
        self._medium = ThreadPoolExecutor(1, "medium bodies")

    def answering(self) -> AnsweringVersion:
        """The version that answers now; a Problem while there is none."""
        served = self._current.served()
        if served is None:
            status = self._current.status()
            raise Problem("not_ready", nothing_served(status.name, status.trouble))
        if self._answering is None or self._answering.served is not served:
            settings = self._settings
            secret = settings.log_secret.get_secret_value()
            self._answering = AnsweringVersion(
                served,
                self._log.declare(served.use_case),
                Pseudonymiser.of(served.use_case, secret),
                BodyLimits(settings.serve_max_rows, settings.serve_max_bytes),
            )
        return self._answering

    async def answer(self, protocol: Protocol, call: Request, body: bytes) -> Response:
        """Answer the rows of a body; a Problem says why not."""
        version = self._asked(protocol, call)
        if len(body) > self._settings.serve_large_bytes:
            asked = LargeBody(call, protocol.name, version.served.version, version.served.digest)
            found, answer = await self._large.answer(asked, body)
            logged = self._log.settle(found.log_problem)
        else:
            record, answer = await self._answer_here(version, protocol, call, body)
            logged = await self._log.append(record)
            found = LargeAnswer(record.n_rows, tally(record.flags))
        return self._response(call, found, answer, logged)

    def answer_small(self, protocol: Protocol, call: Request, body: bytes, done: Done) -> None:
        """Answer a body of few bytes at once; `done` hears it as soon as its record is safe.

        A Problem says why not, and then `done` is not called.
        """
        version = self._asked(protocol, call)
        record, answer = version.answer(call, protocol.name, body, self._clock())
        self._log.hand_over(record, partial(self._settled, call, record, answer, done))

    def _settled(
        self, call: Request, record: PredictionRecord, answer: bytes, done: Done, problem: str
    ) -> None:
        try:
            logged = self._log.settle(problem)
        except LogFull as error:
            done(error)
            return
        found = LargeAnswer(record.n_rows, tally(record.flags))
        done(self._response(call, found, answer, logged))

    def _asked(self, protocol: Protocol, call: Request) -> AnsweringVersion:
        version = self.answering()
        if protocol.check_path:
            protocol.check_path(call.path, version.served)
        call.version = version.served.version
        return version

    async def _answer_here(
        self, version: AnsweringVersion, protocol: Protocol, call: Request, body: bytes
    ) -> tuple[PredictionRecord, bytes]:
        now = self._clock()
        if self._loop_share.allows(len(body)):
            began = time.monotonic()
            answered = version.answer(call, protocol.name, body, now)
            self._loop_share.took(len(body), time.monotonic() - began)
            return answered
        return await asyncio.get_running_loop().run_in_executor(
            self._medium, version.answer, call, protocol.name, body, now
        )

    def _response(self, call: Request, found: LargeAnswer, answer: bytes, logged: bool) -> Response:
        assert call.version
        call.rows = found.n_rows
        self._metrics.rows(call.version, found.flags, found.n_rows, logged)
        return Response(200, answer, JSON, [] if logged else [(b"x-logged", b"false")])

    async def close(self) -> None:
        """End threads and processes."""
        await self._large.close()
        self._medium.shutdown()


def _options(context: WorkerContext) -> LargeBodyOptions:
    """What the processes for large bodies need to know."""
    current, settings = context.current, context.settings
    logs = context.log.sync != "off"
    return LargeBodyOptions(
        cache=str(current.cache.folder.absolute()),
        name=current.name,
        code=str(current.code.absolute()) if current.code else None,
        log_secret=settings.log_secret.get_secret_value(),
        limits=BodyLimits(settings.serve_max_rows, settings.serve_max_bytes),
        spool=context.log.options if logs else None,
        niceness=niceness_of(settings, logs),
    )
