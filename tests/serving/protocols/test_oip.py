"""Open Inference Protocol v2, by a client of somebody else and by hand."""

from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from tests.serving.endpoints.test_predictions import ROW
from tests.support.running import VERSION

INFER = "/v2/models/penguins/infer"


def tensor(name: str, value: Any, datatype: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value]} | changes


def tensors(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    texts = {"island", "sex"}
    found = {n: tensor(n, v, "BYTES" if n in texts else "FP64") for n, v in ROW.items()}
    return [found[name] | changes.get(name, {}) for name in found]


def infer(address: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{address}{INFER}", json={"inputs": tensors()} | body)


def test_tritons_client_works(address: str) -> None:
    client = triton.InferenceServerClient(address.removeprefix("http://"))
    try:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("penguins")
        assert client.is_model_ready("penguins", VERSION)
        about = client.get_model_metadata("penguins")
        assert [(t["name"], t["datatype"]) for t in about["inputs"]][:2] == [
            ("island", "BYTES"),
            ("bill_length_mm", "FP64"),
        ]
        inputs = []
        for part in tensors(sex={"data": ["male"]}):
            given = triton.InferInput(part["name"], [2, 1], part["datatype"])
            kind = object if part["datatype"] == "BYTES" else np.float64
            values = np.array([part["data"]] * 2, dtype=kind)
            inputs.append(given.set_data_from_numpy(values, binary_data=False))
        outputs = [
            triton.InferRequestedOutput(name, binary_data=False)
            for name in ("prediction", "probability")
        ]
        found = client.infer("penguins", inputs, outputs=outputs, request_id="mine")
        assert found.get_response()["id"] == "mine"
        assert found.get_response()["model_version"] == VERSION
        assert found.as_numpy("prediction").tolist() == ["Gentoo", "Gentoo"]
        assert found.as_numpy("probability").shape == (2, 3)
        assert found.as_numpy("probability").sum(axis=1) == pytest.approx([1, 1])
    finally:
        client.close()


def test_what_is_null_is_as_good_as_left_out(address: str) -> None:
    plain = infer(address).json()
    bare = [part | {"parameters": None} for part in tensors()]
    found = infer(address, inputs=bare, id=None, parameters=None, outputs=None)
    assert found.status_code == 200, found.text
    assert found.json() | {"parameters": {}} == plain | {"parameters": {}}


TENSOR = ("name", "shape", "datatype", "data", "parameters")
ANY: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**400, 1e308, "", "FP64", "77123", [], [[]], [None], [1], ["a"],
    [[1]], [[], []], [{}], {}, {"name": []}, [{"name": []}], [{"name": {}}], [{"name": "sex"}],
)  # fmt: skip


@pytest.mark.parametrize("place", ["id", "parameters", "inputs", "outputs", *TENSOR, "cell"])
def test_any_json_in_any_place_is_answered_or_refused(address: str, place: str) -> None:
    first, *rest = tensors(island={"datatype": "INT64"} if place == "cell" else {})
    for value in ANY:
        body: dict[str, Any] = {"inputs": [first, *rest]}
        if place == "cell":
            body["inputs"] = [first | {"data": [value]}, *rest]
        elif place in TENSOR:
            body["inputs"] = [first | {place: value}, *rest]
        else:
            body[place] = value
        answer = infer(address, **body)
        assert answer.status_code in (200, 400), (value, answer.text)
        assert "77123" not in answer.text or place == "id"
    assert infer(address, inputs=ANY).status_code == 400


def test_null_in_data_and_the_wanted_outputs(address: str) -> None:
    answer = infer(address, outputs=[{"name": "prediction"}], id="a").json()
    assert [output["name"] for output in answer["outputs"]] == ["prediction"]
    assert answer["outputs"][0] | {"parameters": {}} == {
        "name": "prediction",
        "shape": [1],
        "datatype": "BYTES",
        "data": ["Gentoo"],
        "parameters": {},
    }
    assert (answer["id"], answer["model_name"]) == ("a", "penguins")
    both = infer(address).json()["outputs"]
    assert both[1]["parameters"] == {"classes": '["Adelie", "Chinstrap", "Gentoo"]'}
    assert infer(address).json().get("id") is None


def test_the_request_id_names_the_predictions(address: str) -> None:
    answer = infer(address)
    assert answer.json()["parameters"]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/models/penguins/versions/{VERSION}/infer",
        "/v2/models/penguins/versions/champion/infer",
    ],
)
def test_a_version_is_named_by_number_or_alias(address: str, path: str) -> None:
    answer = httpx.post(address + path, json={"inputs": tensors()})
    assert answer.json()["model_version"] == VERSION


@pytest.mark.parametrize(
    "path",
    [
        "/v2/models/seals/infer",
        "/v2/models/penguins/versions/99/infer",
        "/v2/models/penguins/versions/challenger/infer",
        "/v2/models/penguins/x/infer",
        "/v2/models/infer",
    ],
)
def test_another_version_is_never_answered_for(address: str, path: str) -> None:
    answer = httpx.post(address + path, json={"inputs": tensors()})
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


def test_metadata(address: str) -> None:
    assert set(httpx.get(f"{address}/v2").json()) == {"name", "version", "extensions"}
    answer = httpx.get(f"{address}/v2/models/penguins/versions/champion")
    about = answer.json()
    assert (about["name"], about["versions"]) == ("penguins", [VERSION])
    assert about["outputs"][1] == {"name": "probability", "datatype": "FP64", "shape": [-1, 3]}
    assert httpx.get(f"{address}/v2/models/seals").status_code == 404
    ready = httpx.get(f"{address}/v2/models/penguins/ready")
    assert ready.json() == {"name": "penguins", "ready": True}
    assert {a.headers["X-Model-Version"] for a in (answer, ready)} == {VERSION}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": {}}, "a list of inputs"),
        ({"inputs": []}, "no rows"),
        ({"inputs": [{"name": "island"}]}, "Input 0 must hold name, shape, datatype and data"),
        ({"more": 77123}, "The request holds 'more', which is unknown; known here: id,"),
        ({"id": 77123}, "id must be a text"),
        ({"inputs": [*tensors(), tensor("sex", None, "BYTES")]}, "a name of its own"),
        ({"inputs": tensors(sex={"datatype": "TEXT"})}, "Input 'sex': datatype must be one of"),
        ({"inputs": tensors(sex={"shape": [1, 2]})}, "Input 'sex': shape must be [n] or [n, 1]"),
        ({"inputs": tensors(sex={"shape": [-1]})}, "Input 'sex': shape must be [n] or [n, 1]"),
        ({"inputs": tensors(sex={"shape": [2]})}, "shape says 2 values, data holds 1"),
        ({"inputs": tensors(sex={"data": 77123})}, "Input 'sex': data must be a list"),
        ({"inputs": tensors(sex={"data": [77123]})}, "Row 0: input 'sex': BYTES expected"),
        ({"inputs": tensors(sex={"data": [], "shape": [0]})}, "unequal numbers of rows"),
        (
            {"inputs": tensors(body_mass_g={"data": [300], "datatype": "INT8"})},
            "Row 0: input 'body_mass_g': INT8 expected",
        ),
        (
            {"inputs": tensors(body_mass_g={"data": [2**53 + 1], "datatype": "INT64"})},
            "Row 0, column 'body_mass_g': number expected",
        ),
        (
            {"inputs": tensors(body_mass_g={"data": ["77123"], "datatype": "BYTES"})},
            "Row 0, column 'body_mass_g': number expected, found text.",
        ),
        ({"inputs": tensors()[1:]}, "Row 0, column 'island': it is missing."),
        ({"inputs": [*tensors(), tensor("wings", 1, "FP32")]}, "Row 0: unknown column"),
        ({"outputs": [{"name": "labels"}]}, "outputs may name prediction, probability"),
        ({"outputs": "prediction"}, "outputs must be a list"),
    ],
)
def test_a_wrong_tensor_is_named(address: str, body: dict[str, Any], said: str) -> None:
    answer = infer(address, **body)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})
    assert said in answer.json()["error"]
    assert "77123" not in answer.text
