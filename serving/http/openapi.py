"""The OpenAPI document of the routes that answer rows, made from the served version's use case."""

from typing import Any

from contract.use_case.model import UseCase
from serving.endpoints.predictions import class_name
from serving.http.openapi_rows import Schema, column_schema, example, example_row, row_schema
from serving.requests.label_columns import members
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
MLFLOW_ERROR: Schema = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
}
OIP_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
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
HEADERS: Schema = {
    "X-Model-Version": {"schema": {"type": "string"}, "description": "The version that answered"},
    "X-Request-Id": {"schema": {"type": "string"}, "description": "As sent, or a new UUIDv7"},
}


def paths(served: ServedVersion) -> dict[str, Any]:
    """The routes that the door serves."""
    use_case, classes = served.use_case, served.scorer.classes
    prediction = _answer_schema(use_case.answer_type, classes)
    row = row_schema(use_case)
    predict: Schema = {
        "summary": "Predictions for typed rows",
        "requestBody": _json_body(
            {
                "type": "object",
                "required": ["rows"],
                "properties": {"rows": {"type": "array", "minItems": 1, "items": row}},
                "additionalProperties": False,
            },
            {"rows": [example_row(use_case)]},
        ),
        "responses": _responses(_predictions(prediction, classes), PROBLEM, "problem+json"),
    }
    predict["responses"]["422"] = {
        "description": "A cell does not fit its column",
        "content": {"application/problem+json": {"schema": PROBLEM}},
    }
    invocations: Schema = {
        "summary": "MLflow scoring protocol",
        "requestBody": _json_body(_forms(row), {"dataframe_records": [example_row(use_case)]}),
        "responses": _responses(
            _object({"predictions": {"type": "array", "items": prediction}}), MLFLOW_ERROR
        ),
    }
    for media_type in ("text/csv", "application/vnd.apache.parquet"):
        invocations["requestBody"]["content"][media_type] = {"schema": {"type": "string"}}
    infer: Schema = {
        "summary": "Open Inference Protocol v2: tensors in, tensors out",
        "requestBody": _json_body(_infer_request(), None),
        "responses": _responses(_infer_answer(), OIP_ERROR),
    }
    labels: Schema = {
        "summary": "Labels for predictions, by their id or by the keys of a row",
        "requestBody": _json_body(*_feedback(use_case)),
        "responses": _responses(_accepted(), PROBLEM, "problem+json"),
    }
    labels["responses"]["202"] = labels["responses"].pop("200") | {"description": "In the log"}
    labels["responses"]["422"] = predict["responses"]["422"]
    asked = {
        "feedback": ("/feedback", labels),
        "predict": ("/predict", predict),
        "invocations": ("/invocations", invocations),
        "infer": (f"/v2/models/{served.name}/infer", infer),
    }
    return {
        path: {"post": operation | {"operationId": name, "tags": ["predictions"]}}
        for name, (path, operation) in asked.items()
    }


def _answer_schema(answer_type: str, classes: tuple[Any, ...]) -> Schema:
    if classes:
        return {"enum": list(classes)}
    return {"type": {"integer": "integer", "number": "number"}.get(answer_type, "string")}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _predictions(prediction: Schema, classes: tuple[Any, ...]) -> Schema:
    row = {"prediction_id": {"type": "string"}, "prediction": prediction}
    if classes:
        row["probability"] = _object(
            {class_name(c): {"type": "number", "minimum": 0, "maximum": 1} for c in classes}
        )
    return _object(
        {
            "request_id": {"type": "string", "format": "uuid"},
            "model": {"type": "string"},
            "version": {"type": "string"},
            "predictions": {"type": "array", "items": _object(row)},
        }
    )


def _feedback(use_case: UseCase) -> tuple[Schema, Any]:
    """A row or rows of feedback, and an example."""
    declared = members(use_case)
    changes = {"type": declared["label"].type, "nullable": False, "out_of_range": "reject"}
    declared["label"] = use_case.columns[use_case.target].model_copy(update=changes)
    row = {
        "type": "object",
        "required": ["label"],
        "properties": {name: column_schema(column) for name, column in declared.items()},
        "additionalProperties": False,
    }
    rows = _object({"rows": {"type": "array", "minItems": 1, "items": row}})
    about = {"prediction_id": "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"}
    return {"anyOf": [row, rows]}, about | {"label": example(declared["label"])}


def _accepted() -> Schema:
    return _object(
        {"request_id": {"type": "string", "format": "uuid"}, "accepted": {"type": "integer"}}
    )


def _json_body(schema: Schema, example: Any) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"required": True, "content": {"application/json": content}}


def _responses(answer: Schema, error: Schema, kind: str = "json") -> dict[str, Any]:
    refused = {"content": {f"application/{kind}": {"schema": error}}}
    return {
        "200": {
            "description": "Answered",
            "headers": HEADERS,
            "content": {"application/json": {"schema": answer}},
        }
    } | {status: {"description": said, **refused} for status, said in REFUSALS.items()}


def _forms(row: Schema) -> Schema:
    rows = {"type": "array", "minItems": 1, "items": row}
    split = _object(
        {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "minItems": 1, "items": {"type": "array"}},
        }
    )
    return {
        "oneOf": [
            _object({"dataframe_records": rows}),
            _object({"dataframe_split": split}),
            _object({"instances": rows}),
            _object({"inputs": rows}),
        ]
    }


def _infer_request() -> Schema:
    tensor = _object(
        {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"type": "string"},
            "data": {"type": "array"},
        }
    )
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor},
            "outputs": {"type": "array", "items": _object({"name": {"type": "string"}})},
        },
    }


def _infer_answer() -> Schema:
    return _object(
        {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "outputs": {"type": "array", "items": {"type": "object"}},
        }
    )
