"""What is answered when rows are not: one sentence, in the words of each protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A reason for not answering: its HTTP status and MLflow's error code."""

    status: HTTPStatus
    error_code: str


KINDS = {
    "bad_http": ProblemKind(HTTPStatus.BAD_REQUEST, "BAD_REQUEST"),
    "http_version": ProblemKind(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "BAD_REQUEST"),
    "not_implemented": ProblemKind(HTTPStatus.NOT_IMPLEMENTED, "NOT_IMPLEMENTED"),
    "bad_body": ProblemKind(HTTPStatus.BAD_REQUEST, "BAD_REQUEST"),
    "bad_cell": ProblemKind(HTTPStatus.BAD_REQUEST, "BAD_REQUEST"),
    "unauthorized": ProblemKind(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED"),
    "forbidden": ProblemKind(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED"),
    "not_found": ProblemKind(HTTPStatus.NOT_FOUND, "RESOURCE_DOES_NOT_EXIST"),
    "method": ProblemKind(HTTPStatus.METHOD_NOT_ALLOWED, "BAD_REQUEST"),
    "timeout": ProblemKind(HTTPStatus.REQUEST_TIMEOUT, "BAD_REQUEST"),
    "too_much": ProblemKind(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BAD_REQUEST"),
    "media_type": ProblemKind(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "BAD_REQUEST"),
    "model_error": ProblemKind(HTTPStatus.INTERNAL_SERVER_ERROR, "model_error"),
    "internal": ProblemKind(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
    "not_ready": ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    "interrupted": ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    "overloaded": ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
    "log_full": ProblemKind(HTTPStatus.SERVICE_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"),
}

JSON = b"application/json"
PROBLEM_JSON = b"application/problem+json"
NOT_ANSWERED = "The request could not be answered; the service's log says where it failed."
NOTHING_ANSWERS = "No version answers yet."

Headers = list[tuple[bytes, bytes]]


def nothing_served(name: str, trouble: Sequence[str]) -> str:
    """Why no version of a use case answers, given what readiness says is wrong: only where nothing
    is, there may be none, and what makes one is said."""
    if trouble:
        return NOTHING_ANSWERS
    return f"No version of {name} is in Production yet; fourcycle main --use-case {name} makes one."


class Problem(Exception):
    """A request that is not answered: why, where, and what is wrong, without the caller's values.

    `row` counts from 0 within the request.
    """

    def __init__(
        self,
        reason: str,
        what: str,
        row: int | None = None,
        column: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        super().__init__(what)
        self.reason, self.what, self.row, self.column = reason, what, row, column
        self.headers = headers or []
        if KINDS[reason].status == HTTPStatus.SERVICE_UNAVAILABLE:
            self.headers.append((b"retry-after", b"1"))

    @property
    def kind(self) -> ProblemKind:
        """Status and code."""
        return KINDS[self.reason]

    @property
    def message(self) -> str:
        """One sentence: `Row 3, column 'size': number expected, found text.`"""
        row = None if self.row is None else f"row {self.row}"
        column = None if self.column is None else f"column {self.column!r}"
        place = ", ".join(filter(None, (row, column)))
        return f"{place[0].upper()}{place[1:]}: {self.what}" if place else self.what

    def __str__(self) -> str:
        return self.message


@dataclass(slots=True)
class Response:
    """What goes back to the caller."""

    status: int
    body: bytes
    media_type: bytes
    headers: Headers


ErrorFormat = Callable[[Problem, str | None], Response]  # the second: id of the request, if any


def problem_details(problem: Problem, request_id: str | None) -> Response:
    """RFC 9457; members `reason`, `row` and `column` say the same as the sentence."""
    status = problem.kind.status
    if problem.reason == "bad_cell":
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    members = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": problem.message,
        "instance": f"urn:uuid:{request_id}" if request_id else None,
        "reason": problem.reason,
        "row": problem.row,
        "column": problem.column,
    }
    body = {name: value for name, value in members.items() if value is not None}
    return Response(status.value, msgspec.json.encode(body), PROBLEM_JSON, problem.headers)


def error_response(problem: Problem, body: dict[str, Any]) -> Response:
    """The answer in JSON."""
    return Response(problem.kind.status.value, msgspec.json.encode(body), JSON, problem.headers)


def place_of(error: BaseException) -> str:
    """The type of an error and the line that raised it: its message may hold values of a row."""
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    place = f" at {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else ""
    return type(error).__name__ + place
