"""What a protocol for predictions is: a value, over which gateway, documents and checks iterate."""

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from contract.use_case.model import UseCase
from serving.log.prediction_record import PredictionRecord
from serving.requests.columns import CheckedColumns, SentColumns, bounded, check
from serving.requests.errors import ErrorFormat
from serving.requests.request import Request
from serving.scoring.champion import Status
from serving.scoring.scorer import Predictions
from serving.scoring.version import Golden, ServedVersion


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """What one body may hold at most."""

    max_rows: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What a request asks of the form of its answer."""

    id: str | None = None  # to be repeated
    outputs: tuple[str, ...] = ()  # empty: all


PLAIN = AnswerOptions()
RETRY = {"Retry-After": "1"}  # seconds; of every 503
Decoded = tuple[CheckedColumns, AnswerOptions]


class Codec(typing.Protocol):
    """A protocol's way in and out for one version, built once for it."""

    def decode(self, call: Request, body: bytes) -> Decoded:
        """The rows of a body, at most as many as are allowed; a Problem where it has none."""

    def encode(self, record: PredictionRecord, options: AnswerOptions) -> dict[str, Any]:
        """The answer as JSON values."""


@dataclass(frozen=True, slots=True)
class GoldenRequest:
    """A request for all golden rows, and the way to read its answer."""

    path: str
    body: dict[str, Any]
    read: Callable[[Any], Predictions]


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What a protocol's own GET routes may say of the service."""

    mlflow_version: str
    status: Callable[[], Status]
    readiness: Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to ask for predictions by POST, and what else belongs to it."""

    name: str  # of its operation in the OpenAPI document
    route: str  # `{name}` in it stands for any text
    media_types: tuple[str, ...]  # "" for a request without Content-Type
    codec: Callable[[ServedVersion, BodyLimits], Codec]
    error: ErrorFormat
    openapi: Callable[[ServedVersion], dict[str, Any]]
    golden_request: Callable[[ServedVersion, Golden], GoldenRequest]
    check_path: Callable[[str, ServedVersion], None] | None = None  # a Problem: not served
    get_routes: Callable[[ServiceView], APIRouter] | None = None
    error_prefix: str | None = None  # of the other paths whose errors have this form


def readiness_answer(readiness: dict[str, Any]) -> JSONResponse:
    """200, or 503 with the time after which to ask again."""
    ready = bool(readiness["ready"])
    return JSONResponse(readiness, 200 if ready else 503, None if ready else RETRY)


def checked(sent: SentColumns, use_case: UseCase, max_rows: int) -> CheckedColumns:
    """Columns of the declared types; a Problem where there are too many rows or a cell is wrong."""
    bounded(sent.n_rows, max_rows)
    return check(sent, use_case)
