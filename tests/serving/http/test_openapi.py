"""The service keeps what its OpenAPI document says, whatever requests a generator comes up with."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.definitions import OPENAPI_31

from serving.keys import make
from serving.scoring.cache import Cache
from serving.scoring.champion import CurrentVersion
from tests.serving.test_keys import NOW
from tests.support.running import app_of, current_of, running

# JSON Schema can't say that tensors hold as many values as their shape, or rows as many as columns.
BEYOND_SCHEMA = [positive_data_acceptance]


PATHS: dict[str, list[Any]] = {
    "/predict": [],
    "/invocations": BEYOND_SCHEMA,
    "/v2/models/penguins/infer": BEYOND_SCHEMA,
    "/feedback": BEYOND_SCHEMA,
    "/ready": [],
    "/ping": [],
    "/version": [],
    "/v2": [],
    "/v2/health/live": [],
    "/v2/health/ready": [],
    "/v2/models/{name}": [],
    "/v2/models/{name}/ready": [],
}


@pytest.mark.parametrize("path", PATHS)
def test_requests_by_the_document(address: str, path: str) -> None:
    document = schemathesis.openapi.from_url(f"{address}/openapi.json")
    strategies = document.include(path=path).as_strategy()

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies)
    def hold(case: Any) -> None:
        case.call_and_validate(excluded_checks=PATHS[path])

    hold()


def test_every_path_of_the_document_is_tried(address: str) -> None:
    assert set(httpx.get(f"{address}/openapi.json").json()["paths"]) == set(PATHS)


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside, whatever it is."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from schemas(inner)


def is_sound(document: dict[str, Any]) -> bool:
    """Whether a document is one by OpenAPI 3.1's schema, and by what that schema can't say."""
    Draft202012Validator(OPENAPI_31).validate(document)
    named = []
    for path, operations in document["paths"].items():
        for operation in operations.values():
            told = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert told == set(re.findall(r"{(\w+)}", path)), path
            named.append(operation.get("operationId"))
    assert len(set(named)) == len(named)
    assert all("type" in schema for schema in schemas(document) if "enum" in schema)
    arrays = [s for s in schemas(document) if s.get("type") == "array"]
    assert all("items" in array for array in arrays)
    return True


def test_the_document_is_valid_before_and_after_the_first_promotion(
    address: str, home: Path
) -> None:
    assert is_sound(httpx.get(f"{address}/openapi.json").json())
    nothing = CurrentVersion(Cache(home / "cache"), "penguins", 60)
    with running(app_of(nothing, home)) as empty:
        assert is_sound(httpx.get(f"{empty}/openapi.json").json())


def test_the_document_says_which_key_and_which_server(package: Path, home: Path) -> None:
    make(home / "keys.json", "shop", ("predict",), NOW)
    keys, current = str(home / "keys.json"), current_of(package, home)
    with running(app_of(current, home, serve_keys=keys, serve_prefix="/ml")) as address:
        document = httpx.get(f"{address}/openapi.json").json()
    assert is_sound(document)
    assert document["servers"] == [{"url": "/ml"}]
    (name,) = document["components"]["securitySchemes"]
    assert document["paths"]["/predict"]["post"]["security"] == [{name: []}]
    assert "security" not in document["paths"]["/ping"]["get"]


def test_a_document_without_keys_or_prefix_is_relative_to_itself(address: str) -> None:
    document = httpx.get(f"{address}/openapi.json").json()
    assert document["servers"] == [{"url": "."}]
    assert {} in document["paths"]["/predict"]["post"]["security"]
