"""Spans: the caller's trace goes on, to a real receiver that decodes what arrives; off: nothing."""

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uuid_utils
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pipelines.replaying.service_process import free_port
from serving.http.gateway import Gateway
from serving.http.traced import TracedGateway
from serving.requests.request import Request
from serving.telemetry import spans
from serving.telemetry.spans import Spans, parent_of
from tests.serving.test_service import ROW
from tests.support import service
from tests.support.project import PROJECT
from tests.support.receiver import Receiver, listening
from tests.support.running import app_of, current_of, running

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, NOT_SAMPLED = (f"00-{TRACE}-{CALLER}-{flags}" for flags in ("01", "00"))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "EVERY_S", 0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening(Receiver()) as found:
        yield found


def received(receiver: Receiver) -> list[Span]:
    """Every span that the receiver took."""
    found = []
    for delivered in receiver.accepted:
        assert delivered.headers["content-type"] == "application/x-protobuf"
        message = ExportTraceServiceRequest.FromString(delivered.body)
        for of_resource in message.resource_spans:
            about = {a.key: a.value.string_value for a in of_resource.resource.attributes}
            assert about["service.name"] == "fourcycle-serving"
            assert about["fourcycle.use_case"] == "penguins"
            found += [span for scope in of_resource.scope_spans for span in scope.spans]
    return found


def said(span: Span) -> dict[str, object]:
    """The attributes of a span as Python's values."""
    found: dict[str, object] = {}
    for attribute in span.attributes:
        value = attribute.value
        kind = value.WhichOneof("value")
        listed = [each.string_value for each in value.array_value.values]
        found[attribute.key] = listed if kind == "array_value" else getattr(value, kind)
    return found


def test_a_request_s_span_continues_the_caller_s_trace_and_names_its_predictions(
    package: Path, tmp_path: Path, receiver: Receiver
) -> None:
    app = app_of(current_of(package, tmp_path), tmp_path, trace_url=f"{receiver.url}/v1/traces")
    with running(app) as address:
        began = time.time_ns()
        rows = {"rows": [ROW | {"penguin": 1}, ROW | {"penguin": 2}]}
        headers = {"traceparent": SAMPLED, "tracestate": "vendor=1"}
        answer = httpx.post(f"{address}/predict", json=rows, headers=headers).json()
        wrong = httpx.post(f"{address}/predict", json={"rows": [ROW | {"island": 7}]})
        httpx.post(f"{address}/predict", json=rows, headers={"traceparent": NOT_SAMPLED})
        assert httpx.get(f"{address}/ping").is_success
        service.until(lambda: len(received(receiver)) >= 3)
    good, bad, ping = received(receiver)
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == (TRACE, CALLER)
    assert (good.trace_state, good.name, good.kind) == (
        "vendor=1",
        "POST /predict",
        Span.SPAN_KIND_SERVER,
    )
    assert began < good.start_time_unix_nano < good.end_time_unix_nano < time.time_ns()
    ids = [row["prediction_id"] for row in answer["predictions"]]
    assert (
        said(good).items()
        >= {
            "fourcycle.prediction_ids": ids,
            "fourcycle.model.version": "3",
            "fourcycle.rows": 2,
            "http.route": "/predict",
            "http.request.method": "POST",
            "http.response.status_code": 200,
        }.items()
    )
    assert said(bad)["http.response.status_code"] == wrong.status_code
    assert said(bad)["error.type"]
    assert bad.status.code == Status.STATUS_CODE_UNSET  # the caller's mistake, not the service's
    assert not bad.parent_span_id
    assert uuid.UUID(bytes=bad.trace_id) == uuid.UUID(wrong.headers["X-Request-Id"])
    assert bad.trace_id != ping.trace_id
    assert said(ping)["http.route"] == "/ping"


def call(**headers: str) -> Request:
    given = {name.encode(): value.encode() for name, value in headers.items()}
    own_id = str(uuid_utils.uuid7())
    return Request("POST", "/predict", given, own_id, None, time.perf_counter())


def test_spans_wait_for_a_receiver_that_is_away_and_refused_ones_are_let_go(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.script[:] = [503, 400]
    sending = Spans(f"{receiver.url}/v1/traces", use_case="penguins")
    sending.start()
    sending.note(call(), "/predict", 200, 0.001)
    service.until(lambda: len(receiver.got) == 2)
    sending.note(call(), "/predict", 500, 0.001)
    service.until(lambda: bool(receiver.accepted))
    sending.stop()
    (failed,) = received(receiver)
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert receiver.got[0].body == receiver.got[1].body
    assert [re.sub(r"\d+ spans wait", "", record.message) for record in caplog.records] == [
        "the receiver of spans answers 503; up to ",
        "1 spans were refused by their receiver: 400",
    ]


def test_a_receiver_that_does_not_answer_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    sending = Spans(f"http://127.0.0.1:{free_port()}/v1/traces", use_case="penguins")
    sending.start()
    sending.note(call(), "/predict", 200, 0.001)
    service.until(lambda: bool(caplog.records))
    sending.stop()  # it tries once more
    assert [record.message.partition(";")[0] for record in caplog.records] == [
        "the receiver of spans does not answer: ConnectionRefusedError"
    ]


def test_what_waits_is_sent_when_the_service_ends(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "EVERY_S", 600)
    sending = Spans(f"{receiver.url}/v1/traces", use_case="penguins")
    sending.start()
    sending.note(call(), "/predict", 200, 0.001)
    sending.stop()
    assert len(received(receiver)) == 1


def test_a_share_is_of_requests_whose_callers_do_not_say(receiver: Receiver) -> None:
    sending = Spans(f"{receiver.url}/v1/traces", share=0, use_case="penguins")
    for headers in ({}, {"traceparent": SAMPLED}, {"traceparent": NOT_SAMPLED}):
        sending.note(call(**headers), "/predict", 200, 0.001)
    sending.start()
    sending.stop()
    (found,) = received(receiver)
    assert found.trace_id.hex() == TRACE


@pytest.mark.parametrize(
    ("header", "valid"),
    [
        (SAMPLED, True),
        (f"01-{TRACE}-{CALLER}-01-later", True),
        (f"{SAMPLED}-more", False),
        (f"ff-{TRACE}-{CALLER}-01", False),
        (f"00-{'0' * 32}-{CALLER}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        (SAMPLED.upper(), False),
        ("", False),
    ],
)
def test_a_trace_is_named_as_the_standard_asks(header: str, valid: bool) -> None:
    assert bool(parent_of({b"traceparent": header.encode()})) == valid


OFF = """
import json, sys
import serving.worker
print(json.dumps([m for m in sys.modules if m.startswith(
    ("serving.telemetry.spans", "serving.http.traced", "opentelemetry.proto", "google.protobuf"))]))
"""


def test_off_nothing_of_it_is_imported_and_the_gateway_is_the_plain_one(
    package: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
    current = current_of(package, tmp_path)
    assert type(app_of(current, tmp_path)) is Gateway
    assert type(app_of(current, tmp_path, trace_url="http://127.0.0.1:9")) is TracedGateway
