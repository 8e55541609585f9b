"""Open Inference Protocol v2: tensors in, tensors out, and what `/v2` tells of server and model."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi import Request as WebRequest
from fastapi.responses import JSONResponse, Response

from contract.names import CHAMPION
from serving.log.prediction_record import PredictionRecord
from serving.protocols.openapi_parts import NOT_READY, json_body, object_of, responses
from serving.protocols.openapi_rows import Schema, one_row
from serving.protocols.protocol import (
    AnswerOptions,
    BodyLimits,
    Decoded,
    GoldenRequest,
    Protocol,
    ServiceView,
    checked,
    readiness_answer,
)
from serving.requests import errors
from serving.requests.binary_tensors import JSON_LENGTH, filled, split
from serving.requests.errors import Problem, error_response, nothing_served
from serving.requests.request import JSON_ROWS, Request
from serving.requests.strict_json import parse_json
from serving.requests.tensors import (
    ALL_TYPES,
    answer_type,
    datatype,
    output_tensors,
    tensor_columns,
)
from serving.scoring.scorer import Predictions
from serving.scoring.version import Golden, ServedVersion

EXTENSIONS = ["null_in_data", "model_alias", "binary_tensor_data"]
BINARY = "application/octet-stream"
PLATFORM = "fourcycle"
MODELS = "/v2/models"
Named = Annotated[str, Path(alias="name", description="The model, by its registered name")]
NOT_SERVED = NOT_READY | {404: {"description": "another model or version"}}


class InferCodec:
    """Inference requests to one version."""

    def __init__(self, served: ServedVersion, limits: BodyLimits) -> None:
        self._use_case, self._max_rows = served.use_case, limits.max_rows
        self._name, self._version = served.name, served.version
        self._classes = served.scorer.classes
        self._outputs = ["prediction", *(["probability"] if served.use_case.classifies else [])]

    def decode(self, call: Request, body: bytes) -> Decoded:
        """Columns of the tensors, and what the caller asks of the answer."""
        content, values = split(body, call.headers.get(JSON_LENGTH))
        if not values and call.media_type == BINARY:
            raise Problem("media_type", f"{BINARY} needs Inference-Header-Content-Length.")
        request = filled(parse_json(content), values)
        sent = tensor_columns(request, self._use_case)
        self._check_names(request)
        options = AnswerOptions(request.get("id"), wanted_outputs(request, self._outputs))
        return checked(sent, self._use_case, self._max_rows), options

    def _check_names(self, request: dict[str, Any]) -> None:
        """A Problem where the body names another model or version than the address does."""
        versions = (None, "", self._version, CHAMPION)
        if request.get("model_name") not in (None, self._name):
            raise Problem("bad_body", "model_name is not the model of the address.")
        if request.get("model_version") not in versions:
            raise Problem("bad_body", f"model_version is not {self._version}, which is served.")

    def encode(self, record: PredictionRecord, options: AnswerOptions) -> dict[str, Any]:
        """Predictions as tensors, in JSON also where bytes are asked for: clients read both."""
        tensors = output_tensors(
            self._use_case, self._classes, record.prediction, record.probability
        )
        return {
            "model_name": record.model,
            "model_version": record.version,
            **({} if options.id is None else {"id": options.id}),
            "parameters": {"request_id": record.request_id},
            "outputs": [tensors[name] for name in options.outputs],
        }


def wanted_outputs(request: dict[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Names of the outputs to answer, all unless some are asked for."""
    outputs = request.get("outputs")
    if outputs is None or outputs == []:
        return tuple(names)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise Problem("bad_body", "outputs must be a list of objects with a name each.")
    wanted = [output.get("name") for output in outputs]
    if not all(name in names for name in wanted):
        raise Problem("bad_body", f"outputs may name {', '.join(names)}.")
    return tuple(name for name in names if name in wanted)


def check_path(path: str, served: ServedVersion) -> None:
    """A Problem unless the path of an inference request names the served version."""
    _check_model(path.removesuffix("/infer"), served)


def _check_model(path: str, served: ServedVersion) -> None:
    """A Problem unless `/v2/models/{name}[/versions/{version}]` names the served version."""
    model = f"{MODELS}/{served.name}"
    if path not in (model, *(f"{model}/versions/{v}" for v in (served.version, CHAMPION))):
        sentence = f"Model {served.name!r} is served in version {served.version}, no other."
        raise Problem("not_found", sentence)


def error(problem: Problem, _: str | None) -> errors.Response:
    """`{"error"}`."""
    return error_response(problem, {"error": problem.message})


def operation(served: ServedVersion) -> Schema:
    """The operation in the OpenAPI document."""
    text: Schema = {"type": "string"}
    tensor = {
        "name": text,
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"type": "string", "enum": sorted(ALL_TYPES)},
        "data": {"type": "array", "items": {}},
    }
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": text,
            "inputs": {"type": "array", "items": object_of(tensor)},
            "outputs": {"type": "array", "items": object_of({"name": text})},
        },
    }
    outputs = {"type": "array", "items": object_of(tensor)}
    answer = object_of({"model_name": text, "model_version": text, "outputs": outputs})
    return {
        "summary": "Open Inference Protocol v2: tensors in, tensors out",
        "requestBody": json_body(request, golden_request(served, one_row(served)).body),
        "responses": responses(answer, object_of({"error": text})),
    }


def golden_request(served: ServedVersion, golden: Golden) -> GoldenRequest:
    """All golden rows as tensors."""
    n_rows, n_classes = len(golden.rows), len(served.scorer.classes)
    tensors = [
        {
            "name": name,
            "shape": [n_rows],
            "datatype": datatype(served.use_case.columns[name]),
            "data": values,
        }
        for name, values in golden.columns.items()
    ]

    def read(answer: Any) -> Predictions:
        outputs = {output["name"]: output["data"] for output in answer["outputs"]}
        flat = outputs.get("probability", [])
        shares = [flat[at : at + n_classes] for at in range(0, len(flat), n_classes or 1)]
        return Predictions(outputs["prediction"], shares if n_classes else None)

    return GoldenRequest(f"{MODELS}/{served.name}/infer", {"inputs": tensors}, read)


def model_metadata(served: ServedVersion) -> dict[str, Any]:
    """Inputs and outputs of a version as tensors; -1 is the number of rows."""
    use_case, n_classes = served.use_case, len(served.scorer.classes)
    outputs = [{"name": "prediction", "datatype": answer_type(use_case), "shape": [-1]}]
    if use_case.classifies:
        outputs.append({"name": "probability", "datatype": "FP64", "shape": [-1, n_classes]})
    return {
        "name": served.name,
        "versions": [served.version],
        "platform": PLATFORM,
        "inputs": [
            {"name": n, "datatype": datatype(use_case.columns[n]), "shape": [-1]}
            for n in use_case.inputs
        ],
        "outputs": outputs,
    }


def get_routes(view: ServiceView) -> APIRouter:
    """Liveness, readiness and metadata."""
    router = APIRouter(prefix="/v2")

    @router.get("/health/live", summary="Alive", tags=["health"])
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Ready", responses=NOT_READY, tags=["health"])
    async def ready() -> JSONResponse:
        return readiness_answer(view.readiness())

    @router.get("", summary="Server metadata", tags=["v2"])
    async def server() -> dict[str, Any]:
        return {"name": PLATFORM, "version": view.mlflow_version, "extensions": EXTENSIONS}

    @router.get("/models/{name}", summary="Model metadata", responses=NOT_SERVED, tags=["v2"])
    @router.get("/models/{name}/versions/{version}", include_in_schema=False)
    async def model(request: WebRequest, response: Response, _: Named) -> dict[str, Any]:
        return model_metadata(_served(view, request.scope["path"], response))

    @router.get(
        "/models/{name}/ready", summary="Model readiness", responses=NOT_SERVED, tags=["v2"]
    )
    @router.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(request: WebRequest, response: Response, _: Named) -> dict[str, Any]:
        served = _served(view, request.scope["path"].removesuffix("/ready"), response)
        return {"name": served.name, "ready": True}

    return router


def _served(view: ServiceView, path: str, response: Response) -> ServedVersion:
    """The version that a path names; a Problem unless it is served."""
    status = view.status()
    served = status.served
    if served is None:
        raise Problem("not_ready", nothing_served(status.name, status.trouble))
    _check_model(path, served)
    response.headers["X-Model-Version"] = served.version
    return served


PROTOCOL = Protocol(
    name="infer",
    route=f"{MODELS}/{{name}}/infer",
    media_types=(JSON_ROWS, BINARY, ""),  # clients of Triton send no Content-Type at all
    codec=InferCodec,
    error=error,
    openapi=operation,
    golden_request=golden_request,
    check_path=check_path,
    get_routes=get_routes,
    error_prefix="/v2",
)
