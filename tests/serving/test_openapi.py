"""The service keeps what its OpenAPI document says, whatever requests a generator comes up with."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

# JSON Schema can't say that tensors hold as many values as their shape, or rows as many as columns.
BEYOND_SCHEMA = [positive_data_acceptance]


@pytest.mark.parametrize(
    ("path", "excluded"),
    [
        ("/predict", []),
        ("/invocations", BEYOND_SCHEMA),
        ("/v2/models/penguins/infer", BEYOND_SCHEMA),
        ("/ready", []),
    ],
)
def test_requests_by_the_document(address: str, path: str, excluded: list[Any]) -> None:
    document = schemathesis.openapi.from_url(f"{address}/openapi.json")
    strategies = document.include(path=path).as_strategy()

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategies)
    def hold(case: Any) -> None:
        case.call_and_validate(excluded_checks=excluded)

    hold()
