"""What the service says of itself: liveness, readiness, metadata, metrics, documents for people."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from contract.settings import Settings
from serving.endpoints.predictions import PredictionEndpoints
from serving.http.status_page import page, policy, waiting
from serving.keys import Keys
from serving.log.log import Log
from serving.requests import oip
from serving.requests.errors import Problem, oip_error, problem_details
from serving.scoring.champion import CurrentVersion, Status
from serving.telemetry.metrics import Metrics

STATIC_URL = "/static"
STATIC = Path(fastapi_offline.__file__).parent / "static"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
BY_STATUS = {404: "not_found", 405: "method"}

Responses = dict[int | str, dict[str, Any]]
NOT_READY: Responses = {503: {"description": "no version can answer"}}
NOT_SERVED: Responses = NOT_READY | {404: {"description": "another model or version"}}


def readiness(status: Status, log_problem: str, feedback_problem: str) -> dict[str, Any]:
    """Whether requests should be sent here, and everything that is not as it should be."""
    reasons = [*status.trouble]
    if log_problem:
        reasons.append(f"Answers can't be logged: {log_problem}.")
    if feedback_problem:
        reasons.append(f"Feedback can't be taken: {feedback_problem}.")
    if status.draining:
        reasons.insert(0, "The service is stopping.")
    elif status.served is None:
        reasons.insert(0, "No version is in Production yet.")
    return {
        "ready": status.ready,
        "degraded": bool(reasons),
        "reasons": reasons,
        "model": status.served.name if status.served else None,
        "version": status.served.version if status.served else None,
    }


def health_routes(
    current: CurrentVersion, log: Log, feedback_log: Log, mlflow_version: str
) -> APIRouter:
    """Is it alive, is it ready, and if not, why."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/ping", summary="Ready, in MLflow's words", response_class=Response, responses=NOT_READY
    )
    @router.get("/health", include_in_schema=False)
    async def ping() -> Response:
        status = current.status()
        headers = {"X-Model-Version": status.served.version} if status.served else None
        return Response("\n", 200 if status.ready else 503, headers, "text/plain")

    @router.get("/version", summary="The MLflow version", response_class=Response)
    async def version() -> Response:
        return Response(mlflow_version, media_type="text/plain")

    @router.get("/ready", summary="Readiness with reasons", responses=NOT_READY)
    async def ready() -> JSONResponse:
        found = readiness(current.status(), log.problem, feedback_log.problem)
        return JSONResponse(found, 200 if found["ready"] else 503)

    @router.get("/v2/health/live", summary="Alive")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/v2/health/ready", summary="Ready", responses=NOT_READY)
    async def v2_ready() -> JSONResponse:
        found = readiness(current.status(), log.problem, feedback_log.problem)
        return JSONResponse(found, 200 if found["ready"] else 503)

    return router


def metadata_routes(answering: PredictionEndpoints, version: str) -> APIRouter:
    """What the Open Inference Protocol tells of server and model."""
    router = APIRouter(prefix="/v2", tags=["v2"])

    @router.get("", summary="Server metadata")
    @router.get("/", include_in_schema=False)
    async def server() -> dict[str, Any]:
        return {"name": oip.PLATFORM, "version": version, "extensions": oip.EXTENSIONS}

    @router.get("/models/{name}", summary="Model metadata", responses=NOT_SERVED)
    @router.get("/models/{name}/versions/{version}", include_in_schema=False)
    async def model(request: Request, response: Response) -> dict[str, Any]:
        served = answering.named(request.url.path).served
        response.headers["X-Model-Version"] = served.version
        n_classes = len(served.scorer.classes)
        return oip.model_metadata(served.use_case, served.name, served.version, n_classes)

    @router.get("/models/{name}/ready", summary="Model readiness", responses=NOT_SERVED)
    @router.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(request: Request, response: Response, name: str) -> dict[str, Any]:
        served = answering.named(request.url.path.removesuffix("/ready")).served
        response.headers["X-Model-Version"] = served.version
        return {"name": name, "ready": True}

    return router


def document_routes(
    current: CurrentVersion,
    log: Log,
    feedback_log: Log,
    settings: Settings,
    metrics: Metrics,
    keys: Keys,
) -> APIRouter:
    """For people and for Prometheus."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def status_page() -> HTMLResponse:  # in a thread: the first page imports Jinja2 for it
        status = current.status()
        trouble = readiness(status, log.problem, feedback_log.problem)["reasons"]
        served, url = status.served, settings.ui_url
        text = page(served, status.since, trouble, url, keys.asked) if served else waiting(trouble)
        return HTMLResponse(text, headers={"Content-Security-Policy": policy()})

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Fourcycle",
            swagger_js_url=f"{STATIC_URL[1:]}/swagger-ui-bundle.js",
            swagger_css_url=f"{STATIC_URL[1:]}/swagger-ui.css",
            swagger_favicon_url=f"{STATIC_URL[1:]}/favicon.png",
        )

    @router.get("/redoc")
    async def redoc() -> HTMLResponse:
        return get_redoc_html(
            openapi_url="openapi.json",
            title="Fourcycle",
            redoc_js_url=f"{STATIC_URL[1:]}/redoc.standalone.js",
            redoc_favicon_url=f"{STATIC_URL[1:]}/favicon.png",
            with_google_fonts=False,
        )

    @router.get("/metrics")
    async def prometheus(request: Request) -> Response:
        keys.admit(dict(request.headers.raw).get(b"authorization"), "admin")
        return Response(metrics.text(), media_type=PROMETHEUS)

    return router


async def refused(request: Request, error: Exception) -> Response:
    """An error of a route here, in the words of its protocol."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        reason = BY_STATUS.get(error.status_code, "bad_body")
        headers |= dict(error.headers or {})
        error = Problem(reason, f"{error.detail}.")
    assert isinstance(error, Problem)
    dialect = oip_error if request.url.path.startswith("/v2") else problem_details
    answer = dialect(error, None)
    headers |= {name.decode(): value.decode() for name, value in error.headers}
    return Response(answer.body, answer.status, headers, answer.media_type.decode())
