"""From the body of a request to its answer: decode, check, score, log, encode.

A small body is answered where it arrives, on the event loop: a hop to a thread would cost a third
of the throughput. A larger one is worked on in a thread beside the loop and scored in slices
(serving.scoring.scorer), so that the small ones are not starved: one body at a time, or, where they
are so large that the scorer takes most of their time, as many as the worker has cores.
"""

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec

from contract.use_case.pseudonymisation import Pseudonymiser
from serving.endpoints.context import WorkerContext
from serving.log.prediction_record import PredictionRecord
from serving.protocols.protocol import BodyLimits, Codec, Protocol
from serving.protocols.registry import PROTOCOLS
from serving.requests.columns import bounded, flag_times
from serving.requests.errors import JSON, Problem, Response, nothing_served, place_of
from serving.requests.request import Request
from serving.scoring.version import ServedVersion

ON_THE_LOOP_BYTES = 8 * 1024  # about 20 rows, a quarter of a millisecond
LARGE_BYTES = 256 * 1024  # about 2,000 rows

logger = logging.getLogger(__name__)


class AnsweringVersion:
    """A served version with what derives from it, built once when it is first asked."""

    def __init__(
        self,
        served: ServedVersion,
        schema_hash: str,
        pseudonymiser: Pseudonymiser,
        limits: BodyLimits,
    ) -> None:
        self.served, self.use_case = served, served.use_case
        self.schema_hash, self.pseudonymiser = schema_hash, pseudonymiser
        self.codecs = {protocol.name: protocol.codec(served, limits) for protocol in PROTOCOLS}


class PredictionEndpoint:
    """Answers rows by any protocol."""

    def __init__(self, context: WorkerContext) -> None:
        self._current, self._log, self._settings = context.current, context.log, context.settings
        self._metrics, self._clock = context.metrics, context.clock
        self._answering: AnsweringVersion | None = None
        # The scorer lets go of the interpreter while it works: two large bodies use two cores. Of
        # smaller ones two at a time are no faster, and each waits for the other's turn.
        cores = max(1, len(os.sched_getaffinity(0)) // self._settings.serve_workers)
        self._large = ThreadPoolExecutor(cores, "large bodies")
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
        version = self.answering()
        if protocol.check_path:
            protocol.check_path(call.path, version.served)
        call.version = version.served.version
        codec = version.codecs[protocol.name]
        if len(body) <= ON_THE_LOOP_BYTES:
            record, answer = self._work(call, version, codec, body)
        else:
            loop = asyncio.get_running_loop()
            threads = self._large if len(body) > LARGE_BYTES else self._medium
            record, answer = await loop.run_in_executor(
                threads, self._work, call, version, codec, body
            )
        logged = await self._log.append(record)
        call.rows = record.n_rows
        self._metrics.rows(record.version, record.flags, record.n_rows, logged)
        return Response(200, answer, JSON, [] if logged else [(b"x-logged", b"false")])

    def close(self) -> None:
        """End the threads."""
        self._large.shutdown()
        self._medium.shutdown()

    def _work(
        self, call: Request, version: AnsweringVersion, codec: Codec, body: bytes
    ) -> tuple[PredictionRecord, bytes]:
        checked, options = codec.decode(call, body)
        bounded(checked.n_rows, self._settings.serve_max_rows)
        now, served = self._clock(), version.served
        flag_times(checked, version.use_case, now)
        try:
            predictions = served.scorer.score(checked.features)
            whole = len(predictions.prediction) == checked.n_rows
        except Exception as error:  # whatever a model does, it is the model's fault
            logger.error("request %s: the model failed: %s", call.own_id, place_of(error))
            raise Problem("model_error", "The model could not answer these rows.") from None
        if not whole:
            raise Problem("model_error", "The model did not answer each row once.")
        record = PredictionRecord(
            request_id=call.own_id,
            model=served.name,
            version=served.version,
            schema_hash=version.schema_hash,
            features=version.pseudonymiser.apply(checked.features),
            keys=version.pseudonymiser.apply(checked.keys),
            event_time=checked.event_time,
            prediction=predictions.prediction,
            probability=predictions.probability,
            flags=checked.flags,
            latency_ms=(time.perf_counter() - call.started) * 1000,
            logged_time=now,
            key_id=call.key,
            source=call.source,
        )
        return record, msgspec.json.encode(codec.encode(record, options))
