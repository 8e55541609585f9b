"""Ask a service by clients that others wrote; run by an environment of clients.lock.

Takes the address of a service of penguins and a folder for the client that is generated. Prints
`<what> <answers>` for each, in which all clients must agree.
"""

import asyncio
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
from penguin import ROW

N_ROWS = 2


def arrays() -> dict[str, Any]:
    """Columns of the row, so many times, as a client takes them."""
    kinds = {name: object if isinstance(value, str) else np.float64 for name, value in ROW.items()}
    return {n: np.array([[v]] * N_ROWS, dtype=kinds[n]) for n, v in ROW.items()}


def datatype(values: Any) -> str:
    """The protocol's word."""
    return "BYTES" if values.dtype == object else "FP64"


async def by_kserve(address: str, binary: bool) -> list[str]:
    """kserve's REST client, with values as JSON or as bytes."""
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    inputs = []
    for name, values in arrays().items():
        part = InferInput(name, list(values.shape), datatype(values))
        part.set_data_from_numpy(values, binary_data=binary)
        inputs.append(part)
    request = InferRequest(model_name="penguins", infer_inputs=inputs)
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_ready(address)
    assert await client.is_model_ready(address, "penguins")
    answer = await client.infer(address, request, model_name="penguins")
    return [str(label) for label in answer.outputs[0].data]


def by_triton(address: str, binary: bool) -> list[str]:
    """Triton's HTTP client."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(address.removeprefix("http://"))
    inputs = [
        triton.InferInput(name, values.shape, datatype(values)).set_data_from_numpy(
            values, binary_data=binary
        )
        for name, values in arrays().items()
    ]
    found = client.infer("penguins", inputs).as_numpy("prediction")
    client.close()
    return [str(label) for label in found]


def by_generated(address: str, folder: Path, protocol: str) -> list[str]:
    """A client that openapi-python-client makes of the service's own document."""
    document = folder / "openapi.json"
    with urlopen(f"{address}/openapi.json") as told:  # noqa: S310  # an address of this machine
        document.write_bytes(told.read())
    made = folder / "made"
    if not made.exists():
        program = str(Path(sys.executable).with_name("openapi-python-client"))
        command = [sys.executable, program, "generate", "--meta", "none", "--path", str(document)]
        subprocess.run([*command, "--output-path", str(made)], check=True, capture_output=True)
        sys.path.insert(0, str(folder))
    client = importlib.import_module("made").Client(base_url=address)
    operation = importlib.import_module(f"made.api.predictions.{protocol}")
    models = importlib.import_module("made.models")
    if protocol == "predict":
        body = models.PredictBody.from_dict({"rows": [ROW] * N_ROWS})
        return [str(row.prediction) for row in operation.sync(client=client, body=body).predictions]
    body = models.InvocationsJsonBodyType0.from_dict({"dataframe_records": [ROW] * N_ROWS})
    return [str(label) for label in operation.sync(client=client, body=body).predictions]


def by_openapi_generator(address: str, folder: Path) -> list[list[str]]:
    """The client that openapi-generator makes, which is a program for Java."""
    made = folder / "generated"
    program = str(Path(sys.executable).with_name("openapi-generator-cli"))
    command = [sys.executable, program, "generate", "-g", "python", "-o", str(made)]
    command += ["-i", str(folder / "openapi.json"), "--package-name", "asked"]
    subprocess.run(command, check=True, capture_output=True)
    sys.path.insert(0, str(made))
    asked = importlib.import_module("asked")
    with asked.ApiClient(asked.Configuration(host=address)) as client:
        api, rows = asked.PredictionsApi(client), [ROW] * N_ROWS
        typed = api.predict(asked.PredictRequest.from_dict({"rows": rows})).predictions
        body = asked.InvocationsRequest.from_dict({"dataframe_records": rows})
        invoked = api.invocations(body).predictions
    return [[str(row.prediction) for row in typed], [str(label) for label in invoked]]


def main(address: str, folder: Path) -> None:
    """Ask by all of them."""
    from openapi_spec_validator import validate

    with urlopen(f"{address}/openapi.json") as told:  # noqa: S310  # an address of this machine
        validate(json.load(told))
    answers = {
        "kserve": asyncio.run(by_kserve(address, False)),
        "kserve, bytes": asyncio.run(by_kserve(address, True)),
        "tritonclient": by_triton(address, False),
        "tritonclient, bytes": by_triton(address, True),
        "generated, /predict": by_generated(address, folder, "predict"),
        "generated, /invocations": by_generated(address, folder, "invocations"),
    }
    if shutil.which("java"):
        typed, invoked = by_openapi_generator(address, folder)
        answers |= {"by Java, /predict": typed, "by Java, /invocations": invoked}
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
