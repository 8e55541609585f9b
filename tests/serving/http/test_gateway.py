"""Which requests the gateway answers itself, in whose form, for every protocol of the registry."""

import json
from io import StringIO
from pathlib import Path

import httpx
import msgspec
import pytest

from serving.http.gateway import BodyRoute, Gateway, finder
from serving.protocols.registry import PROTOCOLS
from serving.requests.errors import Problem, Response
from serving.requests.request import Receive, Request, Scope, Send
from tests.support.running import context_of, current_of, running


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


async def fails(call: Request, body: bytes) -> Response:
    raise ValueError("Ada Lovelace")


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("Ada Lovelace")


def test_an_error_that_nobody_foresaw_is_a_500_without_a_word_of_it_and_is_counted(
    package: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (protocol, *_) = [p for p in PROTOCOLS if p.route == "/predict"]
    route = BodyRoute(protocol.route, "predict", protocol.error, protocol.media_types, fails)
    lines = StringIO()
    context = context_of(current_of(package, home), home, lines)
    context.access_log.start()
    with running(Gateway(broken, [route], context)) as address:
        posted = httpx.post(f"{address}/predict", json={"rows": []})
        asked = httpx.get(f"{address}/anything")
    context.access_log.stop()
    assert (posted.status_code, posted.json()["reason"]) == (500, "internal")
    assert asked.status_code == 500
    assert "Lovelace" not in posted.text + asked.text
    assert f"request {posted.headers['x-request-id']}: ValueError" in caplog.text
    assert [json.loads(line)["status"] for line in lines.getvalue().splitlines()] == [500, 500]
