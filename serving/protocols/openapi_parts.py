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
NOT_READY: dict[int | str, Schema] = {503: {"description": "no version can answer"}}
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
    } | {status: {"description": reason, **refused} for status, reason in REFUSALS.items()}


def problem_responses(answer: Schema) -> dict[str, Any]:
    """The answer, and refusals by RFC 9457, which say 422 where a cell does not fit."""
    unfit = {
        "description": "A cell does not fit its column",
        "content": {"application/problem+json": {"schema": PROBLEM}},
    }
    return responses(answer, PROBLEM, "problem+json") | {"422": unfit}


def prediction_schema(served: ServedVersion) -> Schema:
    """One prediction: a class of the version, or a number."""
    if served.scorer.classes:
        return {"enum": list(served.scorer.classes)}
    kind = served.use_case.answer_type
    return {"type": {"integer": "integer", "number": "number"}.get(kind, "string")}
