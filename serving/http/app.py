"""The application: wires gateway, endpoints, routes and documents; knows no MLflow and no disk."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from serving.endpoints.context import WorkerContext
from serving.endpoints.labels import LabelEndpoint
from serving.endpoints.predictions import PredictionEndpoint
from serving.http.gateway import BodyRoute, Gateway
from serving.http.methods import GetRoutes
from serving.http.routes import (
    STATIC,
    STATIC_URL,
    document_routes,
    health_routes,
    readiness,
    refused,
)
from serving.protocols.protocol import ServiceView
from serving.protocols.registry import PROTOCOLS
from serving.requests.errors import Problem, problem_details
from serving.requests.request import JSON_ROWS
from serving.shipping.shipper_status import read_status
from serving.telemetry.metrics import TELL_S

if TYPE_CHECKING:
    from serving.telemetry.spans import Spans

logger = logging.getLogger(__name__)


def create_app(context: WorkerContext) -> Gateway:
    """The service of one worker, as an ASGI application."""
    predictions = PredictionEndpoint(context)
    labels = LabelEndpoint(context, predictions)
    spans = _spans(context)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        context.access_log.start()
        if spans:
            spans.start()
        watching = asyncio.create_task(_watch(context))
        yield
        watching.cancel()
        await predictions.close()
        await context.log.close()
        await context.feedback_log.close()
        context.metrics.tell()
        context.access_log.stop()
        if spans:
            await asyncio.to_thread(spans.stop)

    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan
    )
    _add_pages(app, context)
    routes = body_routes(predictions, labels)
    if spans is None:
        return Gateway(GetRoutes(app), routes, context)
    from serving.http.traced import TracedGateway

    return TracedGateway(GetRoutes(app), routes, context, spans)


def _spans(context: WorkerContext) -> "Spans | None":
    """None, and nothing of it imported, where nobody takes spans."""
    if not context.settings.trace_url:
        return None
    from serving.telemetry.spans import open_spans

    return open_spans(context.settings, context.current.status().name)


def _add_pages(app: FastAPI, context: WorkerContext) -> None:
    """What is asked by GET, and the form of each error."""
    ready = partial(readiness, context)
    view = ServiceView(context.mlflow_version, context.current.status, ready)
    app.include_router(health_routes(context))
    for protocol in PROTOCOLS:
        if protocol.get_routes:
            app.include_router(protocol.get_routes(view))
    app.include_router(document_routes(context))
    app.mount(STATIC_URL, StaticFiles(directory=STATIC))
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(Problem, refused)


def body_routes(predictions: PredictionEndpoint, labels: LabelEndpoint) -> list[BodyRoute]:
    """What answers rows or takes labels."""
    by_protocol = [
        BodyRoute(
            protocol.route,
            "predict",
            protocol.error,
            protocol.media_types,
            partial(predictions.answer, protocol),
            partial(predictions.answer_small, protocol),
        )
        for protocol in PROTOCOLS
    ]
    feedback = BodyRoute("/feedback", "feedback", problem_details, (JSON_ROWS,), labels.feedback)
    return [*by_protocol, feedback]


async def _watch(context: WorkerContext) -> None:
    """Tell the metrics every second what is known of version, registry and spools."""
    current, log, feedback_log = context.current, context.log, context.feedback_log
    metrics = context.metrics
    looks = (
        metrics.tell,
        lambda: metrics.status(current.status()),
        lambda: context.board.tell(current.status()),
        lambda: metrics.backlog("predictions", read_status(log.folder)),
        lambda: metrics.backlog("feedback", read_status(feedback_log.folder)),
    )
    logged: list[str] = []
    while True:
        problems = [problem for look in looks if (problem := _problem(look))]
        if problems and problems != logged:
            logger.warning("the metrics are not up to date: %s", "; ".join(problems))
        logged = problems
        for _ in range(round(1 / TELL_S)):
            await asyncio.sleep(TELL_S)
            _problem(metrics.tell)  # the look above says what is wrong


def _problem(look: Callable[[], None]) -> str:
    try:
        look()
    except Exception as error:  # one look that fails must not end those that follow
        return f"{type(error).__name__}: {error}"
    return ""
