"""The application: wires door, routes and documents; knows no registry and no disk."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from contract.settings import Settings
from serving.endpoints.labels import LabelEndpoint
from serving.endpoints.predictions import CSV, JSON_ROWS, PARQUET, PredictionEndpoints
from serving.http import openapi
from serving.http.gateway import BodyRoute, Gateway
from serving.http.routes import (
    STATIC,
    STATIC_URL,
    document_routes,
    health_routes,
    metadata_routes,
    refused,
)
from serving.log.log import Log
from serving.requests.api_keys import Keys
from serving.requests.errors import Problem, mlflow_error, oip_error, problem_details
from serving.scoring.champion import CurrentVersion
from serving.shipping.shipper_status import read_status
from serving.telemetry.access_log import AccessLog
from serving.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


def now_utc() -> datetime:
    """The time of arrival."""
    return datetime.now(UTC)


class Service(FastAPI):
    """FastAPI behind a door: what answers rows does not pay for what answers people."""

    door: Gateway
    answering: PredictionEndpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """HTTP comes in by the door, start and stop do not."""
        if scope["type"] == "http":
            await self.door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the door lets through."""
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The document of the version that answers now."""
        served = self.answering.served()
        found = get_openapi(
            title=served.use_case.title if served else self.title,
            version=served.version if served else "0",
            description=self.description,
            routes=self.routes,
        )
        if served:
            found["paths"] |= openapi.paths(served)
        return found


def create_app(
    current: CurrentVersion,
    log: Log,
    feedback_log: Log,
    settings: Settings,
    mlflow_version: str,
    *,
    metrics: Metrics,
    keys: Keys,
    access_log: AccessLog,
    clock: Callable[[], datetime] = now_utc,
) -> Service:
    """The service around `current`, which holds the version that answers now."""
    answering = PredictionEndpoints(current, log, settings, metrics, clock)
    labelling = LabelEndpoint(answering, feedback_log, settings, metrics, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        access_log.start()
        watching = asyncio.create_task(_watch(current, log, feedback_log, metrics))
        yield
        watching.cancel()
        answering.close()
        await log.close()
        await feedback_log.close()
        access_log.stop()

    app = Service(
        title="Fourcycle",
        description="Predictions of the model in Production by three protocols, and their labels.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.answering = answering
    app.include_router(health_routes(current, log, feedback_log, mlflow_version))
    app.include_router(metadata_routes(answering, mlflow_version))
    app.include_router(document_routes(current, log, feedback_log, settings, metrics, keys))
    app.mount(STATIC_URL, StaticFiles(directory=STATIC))
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Problem, refused)
    app.door = Gateway(
        app.inside, hot_routes(answering, labelling), settings, keys, metrics, access_log
    )
    return app


async def _watch(current: CurrentVersion, log: Log, feedback_log: Log, metrics: Metrics) -> None:
    """Tell the metrics every second what is known of version, registry and spools."""
    looks = (
        lambda: metrics.status(current.status()),
        lambda: metrics.backlog("predictions", read_status(log.folder)),
        lambda: metrics.backlog("feedback", read_status(feedback_log.folder)),
    )
    said: list[str] = []
    while True:
        problems = [problem for look in looks if (problem := _problem(look))]
        if problems and problems != said:
            logger.warning("the metrics are not up to date: %s", "; ".join(problems))
        said = problems
        await asyncio.sleep(1)


def _problem(look: Callable[[], None]) -> str:
    try:
        look()
    except Exception as error:  # one look that fails must not end those that follow
        return f"{type(error).__name__}: {error}"
    return ""


def hot_routes(
    answering: PredictionEndpoints, labelling: LabelEndpoint
) -> Callable[[str], BodyRoute | None]:
    """What answers rows or takes labels, by path."""
    rows = BodyRoute("/predict", "predict", problem_details, (JSON_ROWS,), answering.predict)
    mlflow = BodyRoute(
        "/invocations", "predict", mlflow_error, (JSON_ROWS, CSV, PARQUET), answering.invocations
    )
    # Clients of Triton send no Content-Type at all.
    v2 = BodyRoute(
        "/v2/models/{name}/infer", "predict", oip_error, (JSON_ROWS, ""), answering.infer
    )
    labels = BodyRoute("/feedback", "feedback", problem_details, (JSON_ROWS,), labelling.feedback)
    exact = {hot.route: hot for hot in (rows, mlflow, labels)}

    def find(path: str) -> BodyRoute | None:
        found = exact.get(path)
        if found is None and path.startswith("/v2/models/") and path.endswith("/infer"):
            return v2
        return found

    return find
