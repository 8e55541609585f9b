"""The OpenAPI document, made from the served version's use case."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from serving.protocols.openapi_parts import json_body, object_of, problem_responses, rows_of
from serving.protocols.openapi_rows import Schema, column_schema, example
from serving.protocols.registry import PROTOCOLS
from serving.requests.label_columns import members
from serving.scoring.version import ServedVersion

TITLE = "Fourcycle"
DESCRIPTION = "Predictions of the model in Production by three protocols, and their labels."

KEY = "key"
BEARER = {"type": "http", "scheme": "bearer", "description": "A key of `python -m serving.keys`"}


def document(
    served: ServedVersion | None, routes: Sequence[BaseRoute], prefix: str = "", keys: bool = False
) -> dict[str, Any]:
    """The routes of FastAPI, and those that the gateway serves once there is a version.

    `prefix` is what a front strips from a path; `keys`: whether a key is needed.
    """
    title = served.use_case.title if served else TITLE
    version = served.version if served else "0"
    api = get_openapi(title=title, version=version, description=DESCRIPTION, routes=routes)
    # Relative to the document itself: right behind any front, whatever it strips.
    api["servers"] = [{"url": prefix or "."}]
    api.setdefault("components", {})["securitySchemes"] = {KEY: BEARER}
    if served:  # what most people come for stands first
        needed: Schema = {"security": [{KEY: []}] if keys else [{}, {KEY: []}]}
        ours = paths(served)
        for operations in ours.values():
            operations["post"] |= needed
        api["paths"] = ours | api["paths"]
        api["tags"] = [{"name": "predictions"}, {"name": "health"}, {"name": "v2"}]
    return api


def paths(served: ServedVersion) -> dict[str, Any]:
    """The routes that the gateway serves."""
    operations = [
        *(
            (protocol.name, protocol.route.replace("{name}", served.name), protocol.openapi(served))
            for protocol in PROTOCOLS
        ),
        ("feedback", "/feedback", _labels(served)),
    ]
    return {
        path: {"post": operation | {"operationId": name, "tags": ["predictions"]}}
        for name, path, operation in operations
    }


def _labels(served: ServedVersion) -> Schema:
    receipt = object_of(
        {"request_id": {"type": "string", "format": "uuid"}, "accepted": {"type": "integer"}}
    )
    answers = problem_responses(receipt)
    accepted = answers.pop("200") | {"description": "In the log"}
    return {
        "summary": "Labels for predictions, by their id or by the keys of a row",
        "requestBody": json_body(*_feedback(served)),
        "responses": {"202": accepted} | answers,
    }


def _feedback(served: ServedVersion) -> tuple[Schema, Any]:
    """A row or rows of feedback, and an example."""
    use_case = served.use_case
    declared = members(use_case)
    changes = {"type": declared["label"].type, "nullable": False, "out_of_range": "reject"}
    declared["label"] = use_case.columns[use_case.target].model_copy(update=changes)
    row = {
        "type": "object",
        "required": ["label"],
        "properties": {name: column_schema(column) for name, column in declared.items()},
        "additionalProperties": False,
    }
    subject = {"prediction_id": "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"}
    rows = object_of({"rows": rows_of(row)})
    said = served.golden.expected.prediction if served.golden else []
    label = said[0] if said else example(declared["label"])
    return {"anyOf": [row, rows]}, subject | {"label": label}
