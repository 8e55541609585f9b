"""The application: wires codecs, model and log; knows no registry and no disk."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uuid_utils
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from contract.errors import FourcycleError
from contract.frames import feature_table
from contract.settings import Settings
from serving import codecs
from serving.log import PredictionLog
from serving.model import Scored, ServedModel, score

Current = Callable[[], ServedModel | None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """One answered request."""

    served: ServedModel
    request_id: str
    prediction_ids: list[str]
    scored: Scored


class Problem(Exception):
    """An answer that is no answer: status, the protocol's error code and one sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def create_app(current: Current, log: PredictionLog, settings: Settings, version: str) -> FastAPI:
    """The service around `current()`, the version that answers now; `version` is MLflow's."""
    app = FastAPI(title="Fourcycle", docs_url=None, redoc_url=None)

    @app.get("/ping")
    @app.get("/health")
    async def health() -> Response:  # not in the pool of threads: busy is not dead
        return Response("\n", status_code=200 if current() else 503)

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
        shape: Callable[[Answered], dict[str, Any]],
        bad_cell: int,
    ) -> Response:
        request_id = str(uuid_utils.uuid7())
        try:
            served = current()
            if served is None:
                raise Problem(503, "TEMPORARILY_UNAVAILABLE", "No version is in Production yet.")
            body = await _body(request, settings.serve_max_bytes)
            answered = await run_in_threadpool(_work, served, request_id, body, read, bad_cell)
        except Problem as problem:
            content = json.dumps({"error_code": problem.code, "message": problem.message})
            headers = {"X-Request-Id": request_id}
            return Response(content, problem.status, headers, "application/json")
        headers = {"X-Request-Id": request_id, "X-Model-Version": answered.served.version}
        content = json.dumps(shape(answered), allow_nan=False)
        return Response(content, 200, headers, "application/json")

    def _work(
        served: ServedModel,
        request_id: str,
        body: bytes,
        read: Callable[[Any, Any], codecs.Rows],
        bad_cell: int,
    ) -> Answered:
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
            scored = score(served, feature_table(checked.features, served.use_case))
            latency_ms = (time.perf_counter() - started) * 1000
            ids = log.append(served, request_id, checked, scored, latency_ms)
        except FourcycleError as error:
            raise Problem(500, "model_error", str(error)) from error
        except Exception as error:  # the boundary of the process: nothing of it may reach a caller
            logger.exception("request %s failed", request_id)
            raise Problem(500, "INTERNAL_ERROR", "The request could not be answered.") from error
        return Answered(served, request_id, ids, scored)

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


def _predictions(answered: Answered) -> dict[str, Any]:
    return {"predictions": answered.scored.prediction}


def _described(answered: Answered) -> dict[str, Any]:
    scored = answered.scored
    rows = []
    for i, prediction in enumerate(scored.prediction):
        row: dict[str, Any] = {
            "prediction_id": answered.prediction_ids[i],
            "prediction": prediction,
        }
        if scored.probability is not None:
            names = map(str, scored.classes)
            row["probability"] = dict(zip(names, scored.probability[i], strict=True))
        rows.append(row)
    return {
        "request_id": answered.request_id,
        "model": answered.served.name,
        "version": answered.served.version,
        "predictions": rows,
    }
