"""`POST /one`: one row as a JSON object; the answer is its prediction and nothing else."""

from typing import Any

from serving.log.prediction_record import PredictionRecord
from serving.protocols.openapi_parts import (
    json_body,
    object_of,
    prediction_schema,
    problem_responses,
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
from serving.protocols.typed_rows import golden_request as of_typed_rows
from serving.requests.columns import transpose
from serving.requests.errors import Problem, problem_details
from serving.requests.request import JSON_ROWS, Request
from serving.requests.strict_json import parse_json
from serving.scoring.version import Golden, ServedVersion


class OneRowCodec:
    """The one row of a body, and its answer."""

    def __init__(self, served: ServedVersion, limits: BodyLimits) -> None:
        self._use_case = served.use_case

    def decode(self, call: Request, body: bytes) -> Decoded:
        """Columns of one row."""
        row = parse_json(body)
        if not isinstance(row, dict):
            raise Problem("bad_body", "The body must be a JSON object, a value for each column.")
        return checked(transpose([row]), self._use_case, 1), PLAIN

    def encode(self, record: PredictionRecord, options: AnswerOptions) -> dict[str, Any]:
        """The prediction."""
        return {"answer": record.prediction[0]}


def operation(served: ServedVersion) -> Schema:
    """The operation in the OpenAPI document."""
    example = example_row(served)
    answer = object_of({"answer": prediction_schema(served)})
    return {
        "summary": "A prediction for one row",
        "requestBody": json_body(row_schema(served.use_case, [example]), example),
        "responses": problem_responses(answer),
    }


def golden_request(served: ServedVersion, golden: Golden) -> GoldenRequest:
    """The golden rows are many: they are asked for by /predict."""
    return of_typed_rows(served, golden)


PROTOCOL = Protocol(
    name="one",
    route="/one",
    media_types=(JSON_ROWS,),
    codec=OneRowCodec,
    error=problem_details,
    openapi=operation,
    golden_request=golden_request,
)
