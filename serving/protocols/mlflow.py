"""MLflow's scoring protocol: `POST /invocations` in JSON, CSV and Parquet, `/ping`, `/version`."""

from typing import Any

from fastapi import APIRouter, Response

from contract.use_case.model import UseCase
from serving.log.prediction_record import PredictionRecord
from serving.protocols.openapi_parts import (
    NOT_READY,
    json_body,
    object_of,
    prediction_schema,
    responses,
    rows_of,
)
from serving.protocols.openapi_rows import Schema, example_row, row_schema
from serving.protocols.protocol import (
    PLAIN,
    RETRY,
    AnswerOptions,
    BodyLimits,
    Decoded,
    GoldenRequest,
    Protocol,
    ServiceView,
    checked,
)
from serving.requests import errors
from serving.requests.columns import CheckedColumns, SentColumns, transpose
from serving.requests.errors import Problem, error_response
from serving.requests.request import CSV, JSON_ROWS, PARQUET, Request
from serving.requests.strict_json import parse_json
from serving.requests.tabular import checked_parquet, csv_columns, matrix
from serving.requests.typed_json import NOT_TAKEN, Split, TypedRows, is_set
from serving.scoring.scorer import Predictions
from serving.scoring.version import Golden, ServedVersion

ROUTE = "/invocations"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
PARAMS = "params"  # of a signature; ours has none, and MLflow ignores those that it does not know
UNPACKED = 8  # a Parquet body may be so many times the largest body when it is unpacked


class InvocationsCodec:
    """Invocations of one version."""

    def __init__(self, served: ServedVersion, limits: BodyLimits) -> None:
        self._use_case, self._limits = served.use_case, limits
        self._typed = TypedRows(served.use_case)
        frames = {"dataframe_records": self._typed.rows, "dataframe_split": Split}
        self._decoder = self._typed.decoder("Invocations", frames, optional=True)

    def decode(self, call: Request, body: bytes) -> Decoded:
        """Columns of a body in JSON, CSV or Parquet."""
        media_type, limits = call.media_type, self._limits
        if media_type == CSV:
            sent = csv_columns(body, self._use_case, limits.max_rows)
        elif media_type == PARQUET:
            unpacked = UNPACKED * limits.max_bytes
            return checked_parquet(body, self._use_case, limits.max_rows, unpacked), PLAIN
        else:
            columns = self.decode_typed(body)
            if columns is not None:
                return columns, PLAIN
            sent = sent_columns(parse_json(body), self._use_case)
        return checked(sent, self._use_case, limits.max_rows), PLAIN

    def decode_typed(self, body: bytes) -> CheckedColumns | None:
        """The fast way, for the two forms of data frames; None where the slow one decides."""
        try:
            forms = self._decoder.decode(body) if self._decoder else None
            if forms is None or is_set(forms.dataframe_records) == is_set(forms.dataframe_split):
                return None
            if is_set(forms.dataframe_records):
                return self._typed.of_rows(body, forms.dataframe_records)
            return self._typed.of_split(body, forms.dataframe_split)
        except NOT_TAKEN:
            return None

    def encode(self, record: PredictionRecord, options: AnswerOptions) -> dict[str, Any]:
        """Predictions alone."""
        return {"predictions": record.prediction}


def sent_columns(body: Any, use_case: UseCase) -> SentColumns:
    """Columns of a body of strict JSON, not yet checked: exactly one of the four forms."""
    if not isinstance(body, dict):
        raise _bad(f"The body must be a JSON object with one of {', '.join(FORMS)}.")
    forms = [form for form in FORMS if form in body]
    if len(forms) != 1:
        raise _bad(f"Exactly one of {', '.join(FORMS)} is needed, found {len(forms)}.")
    if not set(body) <= {*forms, PARAMS}:
        raise _bad(f"Beside {forms[0]} a body may hold {PARAMS} and nothing else.")
    if not isinstance(body.get(PARAMS), dict | None):
        raise _bad(f"{PARAMS} must be an object; this model has none, so what is in it is ignored.")
    form = forms[0]
    if form == "dataframe_split":
        return _split(body[form])
    if form == "dataframe_records":
        return _records(body[form], form)
    if form == "inputs" and isinstance(body[form], dict):
        return _by_column(body[form])
    return _instances(body[form], form, list(use_case.inputs))


def _bad(message: str) -> Problem:
    return Problem("bad_body", message)


def _records(rows: Any, form: str) -> SentColumns:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _bad(f"{form} must be a list of objects, one for each row.")
    return transpose(rows)


def _split(body: Any) -> SentColumns:
    needed = {"columns", "data"}
    if not isinstance(body, dict) or not needed <= set(body) <= {*needed, "index"}:
        raise _bad("dataframe_split needs columns and data, and may hold index.")
    columns = body["columns"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise _bad("dataframe_split.columns must be a list of names.")
    sent, index = matrix(body["data"], columns, "dataframe_split.data"), body.get("index")
    if index is not None and (not isinstance(index, list) or len(index) != sent.n_rows):
        raise _bad(f"dataframe_split.index must be a list of {sent.n_rows}, one for each row.")
    return sent


def _instances(data: Any, form: str, names: list[str]) -> SentColumns:
    if isinstance(data, list) and data and all(isinstance(row, list) for row in data):
        return matrix(data, names, form)
    return _records(data, form)


def _by_column(data: dict[str, Any]) -> SentColumns:
    if not all(isinstance(values, list) for values in data.values()):
        raise _bad("inputs must hold a list of values for each column.")
    if len({len(values) for values in data.values()}) > 1:
        raise _bad("inputs holds columns of unequal length.")
    return SentColumns(data, len(next(iter(data.values()), [])))


def error(problem: Problem, _: str | None) -> errors.Response:
    """`{"error_code", "message"}`, as MLflow's clients read it."""
    body = {"error_code": problem.kind.error_code, "message": problem.message}
    return error_response(problem, body)


def operation(served: ServedVersion) -> Schema:
    """The operation in the OpenAPI document."""
    example = example_row(served)
    answer = object_of({"predictions": {"type": "array", "items": prediction_schema(served)}})
    failure = object_of({"error_code": {"type": "string"}, "message": {"type": "string"}})
    row = row_schema(served.use_case, [example])
    body = json_body(_body(row), {"dataframe_records": [example]})
    body["content"] |= {
        CSV: {"schema": {"type": "string"}},
        PARQUET: {"schema": {"type": "string", "format": "binary"}},
    }
    return {
        "summary": "MLflow scoring protocol",
        "requestBody": body,
        "responses": responses(answer, failure),
    }


def _body(row: Schema) -> Schema:
    split = object_of(
        {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": rows_of({"type": "array", "items": {}}),
        }
    )
    forms = {"dataframe_records": rows_of(row), "dataframe_split": split}
    forms |= {"instances": rows_of(row), "inputs": rows_of(row)}
    return {"oneOf": [object_of({form: schema}) for form, schema in forms.items()]}


def golden_request(_: ServedVersion, golden: Golden) -> GoldenRequest:
    """All golden rows as a data frame; the protocol tells no probabilities."""

    def read(answer: Any) -> Predictions:
        return Predictions(answer["predictions"], golden.expected.probability)

    split = {"columns": list(golden.columns), "data": golden.rows}
    return GoldenRequest(ROUTE, {"dataframe_split": split}, read)


def get_routes(view: ServiceView) -> APIRouter:
    """Is it ready, and which MLflow is it."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/ping", summary="Ready, in MLflow's words", response_class=Response, responses=NOT_READY
    )
    @router.get("/health", include_in_schema=False)
    async def ping() -> Response:
        status = view.status()
        headers = {"X-Model-Version": status.served.version} if status.served else {}
        headers |= {} if status.ready else RETRY
        return Response("\n", 200 if status.ready else 503, headers, "text/plain")

    @router.get("/version", summary="The MLflow version", response_class=Response)
    async def version() -> Response:
        return Response(view.mlflow_version, media_type="text/plain")

    return router


PROTOCOL = Protocol(
    name="invocations",
    route=ROUTE,
    media_types=(JSON_ROWS, CSV, PARQUET),
    codec=InvocationsCodec,
    error=error,
    openapi=operation,
    golden_request=golden_request,
    get_routes=get_routes,
)
