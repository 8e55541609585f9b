"""`POST /predict`: rows as objects, answers with ids and probabilities, errors by RFC 9457."""

from typing import Any

import msgspec

from serving.log.prediction_record import PredictionRecord
from serving.protocols.openapi_parts import (
    json_body,
    object_of,
    prediction_schema,
    problem_responses,
    rows_of,
)
from serving.protocols.openapi_rows import Schema, example_row, row_schema
from serving.protocols.protocol import (
    PLAIN,
    AnswerOptions,
    BodyLimits,
    Decoded,
    GoldenRequest,
    Protocol,
    checked,
)
from serving.requests.columns import CheckedColumns, SentColumns, transpose
from serving.requests.errors import Problem, problem_details
from serving.requests.request import JSON_ROWS, Request
from serving.requests.strict_json import parse_json
from serving.requests.typed_json import NOT_TAKEN, TypedRows
from serving.scoring.scorer import Predictions
from serving.scoring.version import Golden, ServedVersion

ROUTE = "/predict"


class TypedRowsCodec:
    """Typed rows of one version."""

    def __init__(self, served: ServedVersion, limits: BodyLimits) -> None:
        self._use_case, self._max_rows = served.use_case, limits.max_rows
        self._class_names = [class_name(value) for value in served.scorer.classes]
        self._typed = TypedRows(served.use_case)
        self._decoder = self._typed.decoder("Predict", {"rows": self._typed.rows})

    def decode(self, call: Request, body: bytes) -> Decoded:
        """Columns of `{"rows": [{column: value}, ...]}`."""
        columns = self.decode_typed(body)
        if columns is None:
            columns = checked(sent_columns(parse_json(body)), self._use_case, self._max_rows)
        return columns, PLAIN

    def decode_typed(self, body: bytes) -> CheckedColumns | None:
        """The fast way; None where the slow one decides."""
        try:
            decoder = self._decoder
            return self._typed.of_rows(body, decoder.decode(body).rows) if decoder else None
        except NOT_TAKEN:
            return None

    def encode(self, record: PredictionRecord, options: AnswerOptions) -> dict[str, Any]:
        """A prediction with its id for each row, and a probability for each class by its name."""
        rows: list[dict[str, Any]] = [
            {"prediction_id": prediction_id, "prediction": prediction}
            for prediction_id, prediction in zip(
                record.prediction_ids, record.prediction, strict=True
            )
        ]
        for row, probability in zip(rows, record.probability or [], strict=False):
            row["probability"] = dict(zip(self._class_names, probability, strict=True))
        return {
            "request_id": record.request_id,
            "model": record.model,
            "version": record.version,
            "predictions": rows,
        }


def sent_columns(body: Any) -> SentColumns:
    """Columns of a body of strict JSON, not yet checked; a Problem where it has another form."""
    if not isinstance(body, dict) or set(body) != {"rows"}:
        raise Problem("bad_body", 'The body must be a JSON object with "rows" alone.')
    rows = body["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem("bad_body", "rows must be a list of objects, one for each row.")
    return transpose(rows)


def class_name(value: Any) -> str:
    """A class as JSON spells it: `true`, `3`, `Gentoo`."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def operation(served: ServedVersion) -> Schema:
    """The operation in the OpenAPI document."""
    example = example_row(served)
    row = row_schema(served.use_case, [example])
    body = object_of({"rows": rows_of(row)}) | {"additionalProperties": False}
    return {
        "summary": "Predictions for typed rows",
        "requestBody": json_body(body, {"rows": [example]}),
        "responses": problem_responses(_answer(served)),
    }


def _answer(served: ServedVersion) -> Schema:
    row = {"prediction_id": {"type": "string"}, "prediction": prediction_schema(served)}
    if classes := served.scorer.classes:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        row["probability"] = object_of({class_name(value): share for value in classes})
    return object_of(
        {
            "request_id": {"type": "string", "format": "uuid"},
            "model": {"type": "string"},
            "version": {"type": "string"},
            "predictions": {"type": "array", "items": object_of(row)},
        }
    )


def golden_request(served: ServedVersion, golden: Golden) -> GoldenRequest:
    """All golden rows."""
    names = [class_name(value) for value in served.scorer.classes]

    def read(answer: Any) -> Predictions:
        rows = answer["predictions"]
        shares = [[row["probability"][name] for name in names] for row in rows] if names else None
        return Predictions([row["prediction"] for row in rows], shares)

    rows = [dict(zip(golden.columns, row, strict=True)) for row in golden.rows]
    return GoldenRequest(ROUTE, {"rows": rows}, read)


PROTOCOL = Protocol(
    name="predict",
    route=ROUTE,
    media_types=(JSON_ROWS,),
    codec=TypedRowsCodec,
    error=problem_details,
    openapi=operation,
    golden_request=golden_request,
)
