"""What the service says of itself: readiness with reasons, metrics, documents for people."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from serving.endpoints.context import WorkerContext
from serving.http.openapi import TITLE, document
from serving.http.status_page import page, policy, waiting
from serving.log.log import Log
from serving.protocols.openapi_parts import NOT_READY
from serving.protocols.registry import PROTOCOLS
from serving.requests.errors import ErrorFormat, Problem, nothing_served, problem_details
from serving.shipping import shipper_status

STATIC_URL = "/static"
STATIC = Path(fastapi_offline.__file__).parent / "static"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
BY_STATUS = {404: "not_found", 405: "method"}


def readiness(context: WorkerContext) -> dict[str, Any]:
    """Whether requests should be sent here, and everything that is not as it should be."""
    status = context.current.status()
    reasons = [*status.trouble]
    if problem := context.log.problem:
        reasons.append(f"Answers can't be logged: {problem}.")
    if problem := context.feedback_log.problem:
        reasons.append(f"Feedback can't be taken: {problem}.")
    for table, log in (("predictions", context.log), ("feedback", context.feedback_log)):
        reasons += _spooled(log, table, context.began)
    if status.draining:
        reasons.insert(0, "The service is stopping.")
    elif status.served is None:
        reasons.insert(0, nothing_served(status.name, status.trouble))
    return {
        "ready": status.ready,
        "degraded": bool(reasons),
        "reasons": reasons,
        "model": status.served.name if status.served else None,
        "version": status.served.version if status.served else None,
    }


def _spooled(log: Log, table: str, began: float) -> Iterator[str]:
    """What is not well with a log's spool and with the shipper behind it."""
    if log.is_gone():
        yield f"The spool folder of {table} was removed, and what was in it."
        return
    if log.lost and log.lost != log.problem:  # it has a folder again, and what was there is gone
        yield f"Records were lost: {log.lost}."
    yield from shipper_status.reasons(log.folder, table, began)


def health_routes(context: WorkerContext) -> APIRouter:
    """Is it ready, and if not, why."""
    router = APIRouter(tags=["health"])

    @router.get("/ready", summary="Readiness with reasons", responses=NOT_READY)
    async def ready() -> JSONResponse:
        answer = readiness(context)
        return JSONResponse(answer, 200 if answer["ready"] else 503)

    return router


def document_routes(context: WorkerContext) -> APIRouter:
    """For people and for Prometheus."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def status_page() -> HTMLResponse:  # in a thread: the first page imports Jinja2 for it
        status, trouble = context.current.status(), readiness(context)["reasons"]
        served, url = status.served, context.settings.ui_address
        if served:
            text = page(served, status.since, trouble, url, context.keys.asked)
        else:
            text = waiting(trouble)
        return HTMLResponse(text, headers={"Content-Security-Policy": policy()})

    @router.get("/openapi.json")
    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse(document(context.current.served(), request.app.routes))

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=TITLE,
            swagger_js_url=f"{STATIC_URL[1:]}/swagger-ui-bundle.js",
            swagger_css_url=f"{STATIC_URL[1:]}/swagger-ui.css",
            swagger_favicon_url=f"{STATIC_URL[1:]}/favicon.png",
        )

    @router.get("/redoc")
    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url="openapi.json",
            title=TITLE,
            redoc_js_url=f"{STATIC_URL[1:]}/redoc.standalone.js",
            redoc_favicon_url=f"{STATIC_URL[1:]}/favicon.png",
            with_google_fonts=False,
        )

    @router.get("/metrics")
    async def prometheus(request: Request) -> Response:
        context.keys.admit(dict(request.headers.raw).get(b"authorization"), "admin")
        return Response(context.metrics.text(), media_type=PROMETHEUS)

    return router


async def refused(request: Request, error: Exception) -> Response:
    """An error of a route here, in the form of its protocol."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        reason = BY_STATUS.get(error.status_code, "bad_body")
        headers |= dict(error.headers or {})
        error = Problem(reason, f"{error.detail}.")
    assert isinstance(error, Problem)
    answer = _error_format(request.url.path)(error, None)
    headers |= {name.decode(): value.decode() for name, value in error.headers}
    return Response(answer.body, answer.status, headers, answer.media_type.decode())


def _error_format(path: str) -> ErrorFormat:
    for protocol in PROTOCOLS:
        if protocol.error_prefix and path.startswith(protocol.error_prefix):
            return protocol.error
    return problem_details
