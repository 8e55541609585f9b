"""Which requests the gateway answers itself, in whose form, for every protocol of the registry."""

import httpx
import msgspec
import pytest

from serving.http.gateway import BodyRoute, finder
from serving.protocols.registry import PROTOCOLS
from serving.requests.errors import Problem, Response
from serving.requests.request import Request


async def unasked(call: Request, body: bytes) -> Response:
    raise AssertionError("nobody asks here")


ROUTES = [BodyRoute(p.route, "predict", p.error, p.media_types, unasked) for p in PROTOCOLS]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/predict", "/predict"),
        ("/invocations", "/invocations"),
        ("/v2/models/penguins/infer", "/v2/models/{name}/infer"),
        ("/v2/models/penguins/versions/3/infer", "/v2/models/{name}/infer"),
        ("/v2/models/penguins/ready", None),
        ("/v2/models/penguins", None),
        ("/predict/", None),
        ("/", None),
    ],
)
def test_a_path_leads_to_its_route_or_to_the_application(path: str, route: str | None) -> None:
    found = finder(ROUTES)(path)
    assert (found.route if found else None) == route


def test_every_protocol_is_served_documented_and_says_errors_in_its_form(address: str) -> None:
    document = httpx.get(f"{address}/openapi.json").json()["paths"]
    for protocol in PROTOCOLS:
        path = protocol.route.replace("{name}", "penguins")
        assert document[path]["post"]["operationId"] == protocol.name
        answer = httpx.get(address + path)
        form = protocol.error(Problem("method", ""), "")
        assert answer.status_code == form.status
        assert set(answer.json()) - {"instance"} == set(msgspec.json.decode(form.body))
