"""Open Inference Protocol v2 and MLflow's scoring protocol, case by case (docs/serving.md)."""

import json
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from tests.serving.endpoints.test_predictions import CSV, HEAD, JSON, ROW
from tests.serving.protocols.test_oip import INFER, tensor, tensors
from tests.support.project import PROJECT
from tests.support.running import VERSION
from tests.support.wire import rows_of

Check = Callable[[Any], object]


class Case(NamedTuple):
    """What is asked, and what must come back."""

    asked: dict[str, Any]
    status: int
    holds: Check = lambda answer: True


def read(path: str) -> dict[str, Any]:
    return {"method": "GET", "url": path}


def infer(inputs: Any = None, **members: Any) -> dict[str, Any]:
    body = {"inputs": inputs or tensors()} | members
    return {"method": "POST", "url": INFER, "json": body}


def mass(**changes: Any) -> dict[str, Any]:
    """All tensors, that of the body's mass changed."""
    return infer(tensors(body_mass_g=changes))


def invoke(**members: Any) -> dict[str, Any]:
    return {"method": "POST", "url": "/invocations", "json": members}


def raw(content: bytes, headers: dict[str, str], path: str = "/invocations") -> dict[str, Any]:
    return {"method": "POST", "url": path, "content": content, "headers": headers}


def split(**changes: Any) -> dict[str, Any]:
    frame = {"columns": list(ROW), "data": [list(ROW.values())]}
    return invoke(dataframe_split=frame | changes)


def packed(part: bytes, size: int, length: int | None = None) -> dict[str, Any]:
    """The body's mass as bytes behind the JSON, as Triton's client sends it by default."""
    mass_of = {"name": "body_mass_g", "shape": [1], "datatype": "FP64"}
    last = mass_of | {"parameters": {"binary_data_size": size}}
    rest = [part for part in tensors() if part["name"] != "body_mass_g"]
    content = json.dumps({"inputs": [*rest, last]}).encode()
    told = {"Inference-Header-Content-Length": str(len(content) if length is None else length)}
    return raw(content + part, told, INFER)


def says(text: str) -> Check:
    return lambda answer: text in json.dumps(answer)


def has(*members: str) -> Check:
    return lambda answer: set(members) <= set(answer)


def gentoo(answer: Any) -> bool:
    return bool(answer["outputs"][0]["data"] == ["Gentoo"] and answer["model_version"] == VERSION)


def outputs(*names: str) -> Check:
    return lambda answer: [output["name"] for output in answer["outputs"]] == list(names)


MODEL = "/v2/models/penguins"
KSERVE = {"id": None, "model_name": "penguins", "inputs": tensors(), "parameters": None}
MLSERVER = {"id": None, "outputs": None, "parameters": {"content_type": "pd"}}
OIP: dict[str, Case] = {
    "server metadata": Case(read("/v2"), 200, has("name", "version", "extensions")),
    "server live": Case(read("/v2/health/live"), 200, lambda answer: answer == {"live": True}),
    "server ready": Case(read("/v2/health/ready"), 200, lambda answer: answer["ready"]),
    "model ready": Case(read(f"{MODEL}/ready"), 200, lambda answer: answer["ready"]),
    "model metadata": Case(
        read(MODEL), 200, has("name", "versions", "platform", "inputs", "outputs")
    ),
    "a version by its number": Case(read(f"{MODEL}/versions/{VERSION}"), 200),
    "an unknown model": Case(read("/v2/models/seals"), 404, has("error")),
    "inference": Case(infer(), 200, gentoo),
    "`id` comes back": Case(infer(id="mine"), 200, lambda answer: answer["id"] == "mine"),
    "`id: null`, `outputs: null` (MLServer)": Case(infer(**MLSERVER), 200, gentoo),
    "`model_name` in the body (kserve)": Case(infer(**KSERVE), 200, gentoo),
    "another `model_name`": Case(infer(model_name="seals"), 400, says("model of the address")),
    "another `model_version`": Case(infer(model_version="99"), 400, says("which is served")),
    "a member that nobody knows": Case(infer(inputz=[]), 400, says("did you mean 'inputs'?")),
    "`outputs` names some": Case(
        infer(outputs=[{"name": "probability"}]), 200, outputs("probability")
    ),
    "`outputs: []`": Case(infer(outputs=[]), 200, outputs("prediction", "probability")),
    "`outputs` names another": Case(infer(outputs=[{"name": "x"}]), 400, says("may name")),
    "shape [n, 1], nested data": Case(mass(shape=[1, 1], data=[[5000]]), 200, gentoo),
    "shape [n, 1], flat data": Case(mass(shape=[1, 1]), 200, gentoo),
    "`[[x]]` under shape [1]": Case(mass(data=[[5000]]), 400, says("must be a list of values")),
    "data and shape disagree": Case(mass(data=[1, 2]), 400, says("shape says 1 values")),
    "a datatype that is none": Case(mass(datatype="FLOAT"), 400, says("datatype must be one of")),
    "FP32 1e39": Case(mass(datatype="FP32", data=[1e39]), 400, says("FP32 expected")),
    "FP16 65519": Case(mass(datatype="FP16", data=[65519]), 200),
    "INT8 300": Case(mass(datatype="INT8", data=[300]), 400, says("INT8 expected")),
    "`content_type: base64`": Case(
        infer(tensors(sex={"parameters": {"content_type": "base64"}})), 400, says("as they are")
    ),
    "Triton's binary mode": Case(packed(struct.pack("<d", 5000.0), 8), 200, gentoo),
    "a size that is not there": Case(packed(b"1234", 8), 400, says("must follow the JSON")),
    "bytes that nothing names": Case(packed(b"x" * 9, 8), 400, says("9 follow the JSON")),
    "no JSON at the length": Case(packed(b"", 0, 10**6), 400, says("how many bytes")),
    "no Content-Type (Triton)": Case(
        raw(json.dumps({"inputs": tensors()}).encode(), {}, INFER), 200, gentoo
    ),
    "an error": Case(infer([tensor("wings", 1, "FP32")]), 400, lambda a: set(a) == {"error"}),
}
LATIN = {"Content-Type": "application/json; charset=latin1"}
VERSIONED = {"Content-Type": "application/json; charset=utf-8; v=1"}
RECORDS = json.dumps({"dataframe_records": [ROW]}).encode()
LINE = f"{HEAD}\nBiscoe,45.2,14,210.0,5000,".encode()


def predicted(answer: Any) -> bool:
    return bool(answer == {"predictions": ["Gentoo"]})


MLFLOW: dict[str, Case] = {
    "`/ping`": Case(read("/ping"), 200),
    "`/health`": Case(read("/health"), 200),
    "`/version`": Case(read("/version"), 200),
    "`dataframe_split`": Case(split(), 200, predicted),
    "its `index`, one for each row": Case(split(index=["a"]), 200, predicted),
    "its `index: null`": Case(split(index=None), 200, predicted),
    "its `index` of another length": Case(split(index=[0, 1]), 400, says("one for each row")),
    "its `index` of none": Case(split(index=[]), 400, says("one for each row")),
    "`dataframe_records`": Case(invoke(dataframe_records=[ROW]), 200, predicted),
    "`instances` of rows": Case(invoke(instances=[list(ROW.values())]), 200, predicted),
    "`instances` of objects": Case(invoke(instances=[ROW]), 200, predicted),
    "`inputs` by column": Case(invoke(inputs={n: [v] for n, v in ROW.items()}), 200, predicted),
    "CSV": Case(raw(LINE, CSV), 200, predicted),
    "JSON with further parameters": Case(raw(RECORDS, VERSIONED), 200, predicted),
    "JSON in another charset": Case(raw(RECORDS, LATIN), 415, says("its charset UTF-8")),
    "no Content-Type": Case(raw(RECORDS, {}), 415, has("error_code", "message")),
    "a form of no name": Case(invoke(rows=[ROW]), 400, says("Exactly one")),
    "two forms": Case(invoke(inputs=[ROW], instances=[ROW]), 400, says("found 2")),
    "unknown `params`": Case(invoke(inputs=[ROW], params={"beam": 3}), 200, predicted),
    "`params` that are no object": Case(invoke(inputs=[ROW], params=[1]), 400, says("an object")),
    "no JSON": Case(raw(b"{", JSON), 400, has("error_code", "message")),
    "NaN": Case(raw(b'{"inputs": NaN}', JSON), 400, says("finite numbers")),
    "1.9 for an integer": Case(
        invoke(dataframe_records=[ROW | {"penguin": 1.9}]), 400, says("integer expected")
    ),
}
ALL = {f"OIP: {name}": case for name, case in OIP.items()}
ALL |= {f"MLflow: {name}": case for name, case in MLFLOW.items()}


@pytest.mark.parametrize("case", ALL)
def test_a_case_of_a_protocol(address: str, case: str) -> None:
    asked, status, holds = ALL[case]
    answer = httpx.request(**asked | {"url": address + asked["url"]})
    assert answer.status_code == status, answer.text
    is_json = "json" in answer.headers["content-type"]
    assert holds(answer.json() if is_json else answer.text), answer.text


@pytest.mark.parametrize(
    ("heading", "cases"),
    [("Open Inference Protocol v2, case by case", OIP), ("MLflow scoring, case by case", MLFLOW)],
)
def test_the_documents_list_the_cases(heading: str, cases: dict[str, Case]) -> None:
    listed = rows_of((PROJECT / "docs/serving.md").read_text(), heading)
    assert [(row[0], int(row[1])) for row in listed] == [
        (name, case.status) for name, case in cases.items()
    ]
