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
from serving.http.entity_tags import tagged
from serving.http.methods import READS
from serving.http.openapi import TITLE, document
from serving.http.status_page import page, policy, waiting
from serving.log.log import Log
from serving.protocols.openapi_parts import NOT_READY
from serving.protocols.protocol import readiness_answer
from serving.protocols.registry import error_format
from serving.requests.errors import Problem, nothing_served
from serving.shipping import shipper_status

STATIC_URL = "/static"
STATIC = Path(fastapi_offline.__file__).parent / "static"
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
    workers = context.board.look(status)
    reasons += workers.reasons
    return {
        "ready": status.ready and workers.all_ready,
        "degraded": bool(reasons),
        "reasons": reasons,
        "model": status.served.name if status.served else None,
        "version": status.served.version if status.served else None,
        "workers": workers.told,
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
        return readiness_answer(readiness(context))

    return router


def document_routes(context: WorkerContext) -> APIRouter:
    """For people and for Prometheus."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def status_page(request: Request) -> Response:  # in a thread: the first imports Jinja2 for it
        status, trouble = context.current.status(), readiness(context)["reasons"]
        served, url = status.served, context.settings.ui_address
        if served:
            text = page(served, status.since, trouble, url, context.keys.asked)
        else:
            text = waiting(trouble)
        return tagged(request, HTMLResponse(text, headers={"Content-Security-Policy": policy()}))

    @router.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        told = document(
            context.current.served(),
            request.app.routes,
            prefix=context.settings.serve_prefix,
            keys=context.keys.asked,
        )
        return tagged(request, JSONResponse(told))

    _add_readers(router)

    @router.get("/metrics")
    async def prometheus(request: Request) -> Response:
        context.keys.admit(dict(request.headers.raw).get(b"authorization"), "admin")
        text, media_type = context.metrics.text(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type, "Vary": "Accept"})

    return router


def _add_readers(router: APIRouter) -> None:
    """Pages in which people read the document."""

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        static = f"{_up(request)}{STATIC_URL[1:]}"
        text = get_swagger_ui_html(
            openapi_url=f"{_up(request)}openapi.json",
            title=TITLE,
            swagger_js_url=f"{static}/swagger-ui-bundle.js",
            swagger_css_url=f"{static}/swagger-ui.css",
            swagger_favicon_url=f"{static}/favicon.png",
        )
        return tagged(request, text)

    @router.get("/redoc")
    async def redoc(request: Request) -> Response:
        static = f"{_up(request)}{STATIC_URL[1:]}"
        text = get_redoc_html(
            openapi_url=f"{_up(request)}openapi.json",
            title=TITLE,
            redoc_js_url=f"{static}/redoc.standalone.js",
            redoc_favicon_url=f"{static}/favicon.png",
            with_google_fonts=False,
        )
        return tagged(request, text)


def _up(request: Request) -> str:
    """The way from a page to the addresses beside it: it may be asked with a slash at its end."""
    return "../" if request.scope["raw_path"].endswith(b"/") else ""


async def refused(request: Request, error: Exception) -> Response:
    """An error of a route here, in the form of its protocol."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        reason = BY_STATUS.get(error.status_code, "bad_body")
        headers |= {name.lower(): value for name, value in (error.headers or {}).items()}
        error = Problem(reason, f"{error.detail}.")
    assert isinstance(error, Problem)
    if error.reason == "method":
        headers["allow"] = READS
    answer = error_format(request.scope["path"])(error, None)
    headers |= {name.decode(): value.decode() for name, value in error.headers}
    return Response(answer.body, answer.status, headers, answer.media_type.decode())
