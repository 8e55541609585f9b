"""From the body of a request to its answer: read, check, score, log, shape.

A small body is answered where it arrives, on the event loop: a hop to a thread would cost a third
of the throughput. A larger one is worked on in a thread beside the loop and scored in slices
(serving.scoring.scorer), so that the small ones are not starved: one body at a time, or, where they
are so large that the scorer takes most of their time, as many as the worker has cores.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import msgspec

from contract.names import CHAMPION
from contract.settings import Settings
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.log.log import Log
from serving.log.prediction_record import PredictionRecord
from serving.requests import mlflow_json as mlflow_rows
from serving.requests import oip, tabular
from serving.requests.columns import CheckedColumns, SentColumns, bounded, check, flag_times
from serving.requests.errors import JSON, Problem, Response, place_of
from serving.requests.request import Request
from serving.requests.strict_json import parse_json
from serving.requests.typed_json import TypedJson
from serving.scoring.champion import CurrentVersion
from serving.scoring.version import ServedVersion
from serving.telemetry.metrics import Metrics

ON_THE_LOOP_BYTES = 8 * 1024  # about 20 rows, a quarter of a millisecond
LARGE_BYTES = 256 * 1024  # about 2,000 rows
JSON_ROWS, CSV = "application/json", "text/csv"
PARQUET = "application/vnd.apache.parquet"
UNPACKED = 8  # a Parquet body may be so many times the largest body when it is unpacked

Shape = Callable[[PredictionRecord], dict[str, Any]]
Read = Callable[[], tuple[CheckedColumns, Shape]]

logger = logging.getLogger(__name__)


class Endpoint:
    """A served version with what derives from it, built once when it is first asked."""

    def __init__(self, served: ServedVersion, schema_hash: str, veil: Pseudonymiser) -> None:
        self.served, self.schema_hash, self.veil = served, schema_hash, veil
        self.use_case: UseCase = served.use_case
        self.typed = TypedJson(served.use_case)
        self.class_names = [class_name(c) for c in served.scorer.classes]


class PredictionEndpoints:
    """The three ways to ask for predictions."""

    def __init__(
        self,
        current: CurrentVersion,
        log: Log,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._current, self._log, self._settings = current, log, settings
        self._metrics, self._clock = metrics, clock
        self._endpoint: Endpoint | None = None
        # The scorer lets go of the interpreter while it works: two large bodies use two cores. Of
        # smaller ones two at a time are no faster, and each waits for the other's turn.
        cores = max(1, len(os.sched_getaffinity(0)) // settings.serve_workers)
        self._large = ThreadPoolExecutor(cores, "large bodies")
        self._medium = ThreadPoolExecutor(1, "medium bodies")

    def served(self) -> ServedVersion | None:
        """The version that answers now."""
        return self._current.served()

    def endpoint(self) -> Endpoint:
        """The version that answers now; a Problem while there is none."""
        served = self.served()
        if served is None:
            raise Problem("not_ready", "No version is in Production yet.")
        if self._endpoint is None or self._endpoint.served is not served:
            veil = Pseudonymiser.of(served.use_case, self._settings.log_secret.get_secret_value())
            self._endpoint = Endpoint(served, self._log.declare(served.use_case), veil)
        return self._endpoint

    async def predict(self, call: Request, body: bytes) -> Response:
        """`POST /predict`: typed rows."""
        endpoint = self.endpoint()

        def read() -> tuple[CheckedColumns, Shape]:
            checked = endpoint.typed.predict(body)
            if checked is None:
                sent = mlflow_rows.predict_columns(parse_json(body), endpoint.use_case)
                checked = self._checked(sent, endpoint)
            return checked, lambda answered: described(answered, endpoint.class_names)

        return await self._answer(call, endpoint, len(body), read)

    async def invocations(self, call: Request, body: bytes) -> Response:
        """`POST /invocations`: MLflow's scoring protocol."""
        endpoint = self.endpoint()

        def read() -> tuple[CheckedColumns, Shape]:
            as_json = call.media_type == JSON_ROWS
            checked = endpoint.typed.invocations(body) if as_json else None
            if checked is None:
                checked = self._checked(self._columns(call, body, endpoint.use_case), endpoint)
            return checked, lambda answered: {"predictions": answered.prediction}

        return await self._answer(call, endpoint, len(body), read)

    async def infer(self, call: Request, body: bytes) -> Response:
        """`POST /v2/models/{name}[/versions/{version}]/infer`: Open Inference Protocol."""
        endpoint = self.named(call.path.removesuffix("/infer"))

        def read() -> tuple[CheckedColumns, Shape]:
            request = parse_json(body)
            sent = oip.tensor_columns(request, endpoint.use_case)
            outputs = ["prediction"] + (["probability"] if endpoint.use_case.classifies else [])
            wanted = oip.wanted_outputs(request, outputs)

            def shape(answered: PredictionRecord) -> dict[str, Any]:
                classes = endpoint.served.scorer.classes
                tensors = oip.output_tensors(
                    endpoint.use_case, classes, answered.prediction, answered.probability
                )
                named = {} if request.get("id") is None else {"id": request["id"]}
                return {
                    "model_name": answered.model,
                    "model_version": answered.version,
                    **named,
                    "parameters": {"request_id": answered.request_id},
                    "outputs": [tensors[name] for name in wanted],
                }

            return self._checked(sent, endpoint), shape

        return await self._answer(call, endpoint, len(body), read)

    def named(self, path: str) -> Endpoint:
        """The version that `/v2/models/{name}[/versions/{version}]` names, if it is served."""
        endpoint = self.endpoint()
        served = endpoint.served
        model = f"/v2/models/{served.name}"
        if path not in (model, *(f"{model}/versions/{v}" for v in (served.version, CHAMPION))):
            sentence = f"Model {served.name!r} is served in version {served.version}, no other."
            raise Problem("not_found", sentence)
        return endpoint

    def close(self) -> None:
        """End the threads."""
        self._large.shutdown()
        self._medium.shutdown()

    def _columns(self, call: Request, body: bytes, use_case: UseCase) -> SentColumns:
        settings = self._settings
        if call.media_type == CSV:
            return tabular.csv_columns(body, use_case, settings.serve_max_rows)
        if call.media_type == PARQUET:
            limits = settings.serve_max_rows, UNPACKED * settings.serve_max_bytes
            return tabular.parquet_columns(body, use_case, *limits)
        return mlflow_rows.invocation_columns(parse_json(body), use_case)

    def _checked(self, sent: SentColumns, endpoint: Endpoint) -> CheckedColumns:
        bounded(sent.n_rows, self._settings.serve_max_rows)
        return check(sent, endpoint.use_case)

    async def _answer(self, call: Request, endpoint: Endpoint, size: int, read: Read) -> Response:
        call.version = endpoint.served.version
        if size <= ON_THE_LOOP_BYTES:
            answered, body = self._work(call, endpoint, read)
        else:
            loop = asyncio.get_running_loop()
            beside = self._large if size > LARGE_BYTES else self._medium
            answered, body = await loop.run_in_executor(beside, self._work, call, endpoint, read)
        logged = await self._log.append(answered)
        call.rows = answered.n_rows
        self._metrics.rows(answered.version, answered.flags, answered.n_rows, logged)
        return Response(200, body, JSON, [] if logged else [(b"x-logged", b"false")])

    def _work(
        self, call: Request, endpoint: Endpoint, read: Read
    ) -> tuple[PredictionRecord, bytes]:
        checked, shape = read()
        bounded(checked.n_rows, self._settings.serve_max_rows)
        now = self._clock()
        flag_times(checked, endpoint.use_case, now)
        try:
            found = endpoint.served.scorer.score(checked.features)
            whole = len(found.prediction) == checked.n_rows
        except Exception as error:  # whatever a model does, it is the model's fault
            logger.error("request %s: the model failed: %s", call.own_id, place_of(error))
            raise Problem("model_error", "The model could not answer these rows.") from None
        if not whole:
            raise Problem("model_error", "The model did not answer each row once.")
        served = endpoint.served
        answered = PredictionRecord(
            request_id=call.own_id,
            model=served.name,
            version=served.version,
            schema_hash=endpoint.schema_hash,
            features=endpoint.veil.cover(checked.features),
            keys=endpoint.veil.cover(checked.keys),
            event_time=checked.event_time,
            prediction=found.prediction,
            probability=found.probability,
            flags=checked.flags,
            latency_ms=(time.perf_counter() - call.started) * 1000,
            logged_time=now,
            key_id=call.key,
            source=call.source,
        )
        return answered, msgspec.json.encode(shape(answered))


def class_name(value: Any) -> str:
    """A class as JSON spells it: `true`, `3`, `Gentoo`."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def described(answered: PredictionRecord, class_names: list[str]) -> dict[str, Any]:
    """The answer of /predict."""
    rows: list[dict[str, Any]] = [
        {"prediction_id": prediction_id, "prediction": prediction}
        for prediction_id, prediction in zip(
            answered.prediction_ids, answered.prediction, strict=True
        )
    ]
    for row, probability in zip(rows, answered.probability or [], strict=False):
        row["probability"] = dict(zip(class_names, probability, strict=True))
    return {
        "request_id": answered.request_id,
        "model": answered.model,
        "version": answered.version,
        "predictions": rows,
    }
