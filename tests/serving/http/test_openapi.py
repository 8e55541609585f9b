"""The service keeps what its OpenAPI document says, whatever requests a generator comes up with."""

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

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
