"""Bodies, answers and refusals in OpenAPI's words, as all operations have them."""

from typing import Any

from serving.protocols.openapi_rows import Schema
from serving.scoring.version import ServedVersion

PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "reason"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: row, column, types."},
        "instance": {"type": "string"},
        "reason": {"type": "string"},
        "row": {"type": "integer"},
        "column": {"type": "string"},
    },
}
REFUSALS = {
    "400": "The body is not what the protocol asks for",
    "401": "A key is needed",
    "403": "The key lacks the scope",
    "408": "The body did not arrive in time",
    "413": "Too many bytes or rows",
    "415": "Another Content-Type is needed",
    "500": "The model could not answer",
    "503": "Not ready, or too many requests in work",
}
RETRY_AFTER: Schema = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds until it may be better"}
}
JSON_TYPES = ("boolean", "integer", "number")  # columns that JSON calls so; others are text
NOT_READY: dict[int | str, Schema] = {
    503: {"description": "no version can answer", "headers": RETRY_AFTER}
}
HEADERS: Schema = {
    "X-Model-Version": {"schema": {"type": "string"}, "description": "The version that answered"},
    "X-Request-Id": {"schema": {"type": "string"}, "description": "As sent, or a new UUIDv7"},
}


def object_of(properties: dict[str, Schema]) -> Schema:
    """An object that has all these members."""
    return {"type": "object", "required": list(properties), "properties": properties}


def rows_of(row: Schema) -> Schema:
    """A list of at least one row."""
    return {"type": "array", "minItems": 1, "items": row}


def json_body(schema: Schema, example: Any) -> dict[str, Any]:
    """A request body in JSON, with an example of it."""
    content: dict[str, Any] = {"schema": schema, "example": example}
    return {"required": True, "content": {"application/json": content}}


def responses(answer: Schema, error: Schema, kind: str = "json") -> dict[str, Any]:
    """The answer, and each refusal in the protocol's form of an error."""
    refused = {"content": {f"application/{kind}": {"schema": error}}}
    return {
        "200": {
            "description": "Answered",
            "headers": HEADERS,
            "content": {"application/json": {"schema": answer}},
        }
    } | {
        status: {"description": reason, **refused, **_retried(status)}
        for status, reason in REFUSALS.items()
    }


def _retried(status: str) -> Schema:
    return {"headers": RETRY_AFTER} if status == "503" else {}


def problem_responses(answer: Schema) -> dict[str, Any]:
    """The answer, and refusals by RFC 9457, which say 422 where a cell does not fit."""
    unfit = {
        "description": "A cell does not fit its column",
        "content": {"application/problem+json": {"schema": PROBLEM}},
    }
    return responses(answer, PROBLEM, "problem+json") | {"422": unfit}


def prediction_schema(served: ServedVersion) -> Schema:
    """One prediction: a class of the version, or a number."""
    kind, classes = served.use_case.answer_type, served.scorer.classes
    schema: Schema = {"type": kind if kind in JSON_TYPES else "string"}
    # Both values of a boolean are what its type says; generators of clients know no such list.
    return schema | ({"enum": list(classes)} if classes and kind != "boolean" else {})
