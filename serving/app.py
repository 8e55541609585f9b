"""The application: wires codecs, model and log; knows no registry and no disk."""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import uuid_utils
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from contract.errors import FourcycleError
from contract.settings import Settings
from serving import codecs
from serving.answered import Answered
from serving.log import PredictionLog
from serving.model import ServedVersion
from serving.scorer import Answers

Current = Callable[[], ServedVersion | None]

logger = logging.getLogger(__name__)


Clock = Callable[[], datetime]


def now_utc() -> datetime:
    """The time of arrival."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Work:
    """Checked rows and the model's answers to them."""

    request: codecs.Request
    answers: Answers
    latency_ms: float


class Problem(Exception):
    """An answer that is no answer: status, the protocol's error code and one sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def create_app(
    current: Current,
    log: PredictionLog,
    settings: Settings,
    version: str,
    clock: Clock = now_utc,
) -> FastAPI:
    """The service around `current()`, the version that answers now; `version` is MLflow's."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await log.close()

    app = FastAPI(title="Fourcycle", docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.get("/ping")
    @app.get("/health")
    async def health() -> Response:  # not in the pool of threads: busy is not dead
        served = current()
        headers = {"X-Model-Version": served.version} if served else None
        return Response("\n", status_code=200 if served else 503, headers=headers)

    @app.get("/version")
    async def mlflow_version() -> Response:
        return Response(version, media_type="text/plain")

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        return await _answer(request, codecs.invocation_rows, _predictions, 400)

    @app.post("/predict")
    async def predict(request: Request) -> Response:
        def rows(body: Any, _: Any) -> codecs.Rows:
            return codecs.predict_rows(body)

        return await _answer(request, rows, _described, 422)

    async def _answer(
        request: Request,
        read: Callable[[Any, Any], codecs.Rows],
        shape: Callable[[Answered, tuple[Any, ...]], dict[str, Any]],
        bad_cell: int,
    ) -> Response:
        request_id = str(uuid_utils.uuid7())
        try:
            served = current()
            if served is None:
                raise Problem(503, "TEMPORARILY_UNAVAILABLE", "No version is in Production yet.")
            body = await _body(request, settings.serve_max_bytes)
            work = await run_in_threadpool(_work, served, request_id, body, read, bad_cell)
            answered = _answered(served, request_id, work)
            await log.append(answered)
        except Problem as problem:
            content = json.dumps({"error_code": problem.code, "message": problem.message})
            headers = {"X-Request-Id": request_id}
            return Response(content, problem.status, headers, "application/json")
        headers = {"X-Request-Id": request_id, "X-Model-Version": answered.version}
        content = json.dumps(shape(answered, served.scorer.classes), allow_nan=False)
        return Response(content, 200, headers, "application/json")

    def _work(
        served: ServedVersion,
        request_id: str,
        body: bytes,
        read: Callable[[Any, Any], codecs.Rows],
        bad_cell: int,
    ) -> Work:
        started = time.perf_counter()
        status = 400
        try:
            parsed = codecs.parse_json(body)
            rows = read(parsed, served.use_case)
            status = bad_cell
            checked = codecs.check(rows, served.use_case, settings.serve_max_rows)
        except codecs.TooMuch as error:
            raise Problem(413, "BAD_REQUEST", str(error)) from None
        except codecs.BadRequest as error:
            raise Problem(status, "BAD_REQUEST", str(error)) from None
        try:
            answers = served.scorer.score(checked.features)
        except FourcycleError as error:
            raise Problem(500, "model_error", str(error)) from error
        except Exception as error:  # the boundary of the process: nothing of it may reach a caller
            logger.exception("request %s failed", request_id)
            raise Problem(500, "INTERNAL_ERROR", "The request could not be answered.") from error
        return Work(checked, answers, (time.perf_counter() - started) * 1000)

    def _answered(served: ServedVersion, request_id: str, work: Work) -> Answered:
        return Answered(
            request_id=request_id,
            model=served.name,
            version=served.version,
            schema_hash=log.declare(served.use_case),
            features=work.request.features,
            keys=work.request.keys,
            event_time=work.request.event_time,
            prediction=work.answers.prediction,
            probability=work.answers.probability,
            flags=[[] for _ in range(work.request.n_rows)],
            latency_ms=work.latency_ms,
            logged_time=clock(),
            key_id=None,
            shadow=None,
        )

    return app


async def _body(request: Request, max_bytes: int) -> bytes:
    """The body, read up to the limit; memory does not grow with what is refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("content-encoding"):
        raise Problem(415, "BAD_REQUEST", "Content-Type application/json, unpacked, is needed.")
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > max_bytes:
            raise Problem(413, "BAD_REQUEST", f"The body is larger than {max_bytes} bytes.")
    return bytes(received)


def _predictions(answered: Answered, _: tuple[Any, ...]) -> dict[str, Any]:
    return {"predictions": answered.prediction}


def _described(answered: Answered, classes: tuple[Any, ...]) -> dict[str, Any]:
    rows = []
    for i, prediction_id in enumerate(answered.prediction_ids):
        row: dict[str, Any] = {
            "prediction_id": prediction_id,
            "prediction": answered.prediction[i],
        }
        if answered.probability is not None:
            row["probability"] = dict(zip(map(str, classes), answered.probability[i], strict=True))
        rows.append(row)
    return {
        "request_id": answered.request_id,
        "model": answered.model,
        "version": answered.version,
        "predictions": rows,
    }
