"""Requests that come in one piece, which no cycle of uvicorn answers, beside those that do not."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.use_case.features import Columns
from serving.requests.loop_share import FEW_ROWS_BYTES, SLOW_S, SOME_ROWS_BYTES
from tests.serving.endpoints.test_predictions import JSON, ROW
from tests.serving.http.test_rules_of_http import BODY, END, RULES, post
from tests.serving.log.test_log import writers
from tests.support.running import app_of, current_of, running, spool_in
from tests.support.wire import Said, say

KEPT = post("Connection: keep-alive")
OWN = re.compile(rb"(x-request-id|date): [^\r]*|[0-9a-f]{8}-[0-9a-f-]{27}")
CLOSING = b"Connection: close\r\n"
SOME = post("Connection: keep-alive", body=json.dumps({"rows": [ROW] * 80}).encode())
ROWS = [rule for rule, told in RULES.items() if told.sent.startswith(b"POST")]


@pytest.fixture(params=["alone", "in company"])
def company(request: pytest.FixtureRequest, address: str) -> Iterator[None]:
    """Another connection is open: then what comes is answered at the end of the loop's turn."""
    url = httpx.URL(address)
    if request.param == "alone":
        yield
        return
    with socket.create_connection((url.host, url.port or 80), timeout=20):
        yield


def medium_threads() -> set[threading.Thread]:
    """Those of applications of this process that work on bodies beside the loop."""
    return {one for one in threading.enumerate() if one.name.startswith("medium bodies")}


def impersonal(said: Said) -> bytes:
    """What was said, without what each answer has of its own."""
    return OWN.sub(b"", said.raw)


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("rule", ROWS, ids=" ".join)
def test_the_rules_hold_on_a_connection_that_is_kept(address: str, rule: tuple[str, str]) -> None:
    sent, status, _ = RULES[rule]
    said = say(address, sent.replace(CLOSING, b"", 1) + END)
    assert said.statuses[:1] == [status], said.raw


@pytest.mark.usefixtures("company")
def test_the_answer_is_the_same_however_the_request_comes(address: str) -> None:
    whole = impersonal(say(address, KEPT + END))
    for cut in (10, len(KEPT) - len(BODY), len(KEPT) - 1):
        assert impersonal(say(address, KEPT[:cut], KEPT[cut:] + END)) == whole


def test_requests_on_one_connection_are_answered_in_their_order(package: Path, home: Path) -> None:
    bad = KEPT.replace(b'{"rows"', b'{"rowz"')
    app = app_of(current_of(package, home), home, log_sync="fsync")
    with running(app) as address:
        said = say(address, KEPT + bad + KEPT + bad + END)
        assert said.statuses == [200, 400, 200, 400, 200]
        assert say(address, KEPT, bad, KEPT + KEPT, b"\x00\r\n\r\n").statuses == [
            200,
            400,
            200,
            200,
            400,
        ]


def test_some_rows_go_to_a_thread_while_few_come_and_are_answered_alike(
    package: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.requests.loop_share.SLOW_S", 60)  # on a machine at work, too
    assert FEW_ROWS_BYTES < len(SOME) < SOME_ROWS_BYTES
    before = medium_threads()
    with running(app_of(current_of(package, home), home)) as address:
        alone = say(address, SOME + END)
        assert impersonal(say(address, SOME[:300], SOME[300:] + END)) == impersonal(alone)
        assert medium_threads() == before
        deadline = time.monotonic() + 20
        while (
            medium_threads() == before
        ):  # on a machine at work a tenth of a second may pass between
            said = say(address, KEPT, SOME + END)
            assert said.statuses == [200, 200, 200]
            assert time.monotonic() < deadline
    assert alone.statuses == [200, 200]
    assert impersonal(said).endswith(impersonal(alone))


def test_some_rows_go_to_a_thread_where_the_model_is_slow(package: Path, home: Path) -> None:
    current = current_of(package, home)
    served = current.served()
    assert served
    quick, before = served.scorer.run, medium_threads()

    def slow(columns: Columns) -> Any:
        time.sleep(2 * SLOW_S)
        return quick(columns)

    current._served = replace(served, scorer=replace(served.scorer, run=slow))
    with running(app_of(current, home)) as address:
        assert say(address, SOME + END).statuses == [200, 200]
        assert medium_threads() == before
        assert say(address, SOME + END).statuses == [200, 200]
        assert medium_threads() > before


def test_a_caller_who_leaves_before_his_record_is_safe_costs_nobody_his_place(
    package: Path, home: Path
) -> None:
    app = app_of(current_of(package, home), home, log_sync="fsync", serve_concurrency=1)
    with running(app) as address:
        url = httpx.URL(address)
        for _ in range(5):
            with socket.create_connection((url.host, url.port or 80)) as caller:
                caller.sendall(KEPT)
        deadline = time.monotonic() + 10
        while httpx.post(f"{address}/predict", content=BODY, headers=JSON).status_code != 200:
            assert time.monotonic() < deadline


def test_a_request_that_waits_for_its_record_while_the_service_stops_is_answered_and_the_last(
    package: Path, home: Path
) -> None:
    with running(app_of(current_of(package, home), home, log_sync="fsync")) as address:
        url = httpx.URL(address)
        caller = socket.create_connection((url.host, url.port or 80), timeout=20)
        caller.sendall(KEPT)
        assert caller.recv(65_536).startswith(b"HTTP/1.1 200")
        held = writers(spool_in(home))
        for process in held:
            process.suspend()
            threading.Timer(1, process.resume).start()
        caller.sendall(KEPT)
        time.sleep(0.3)  # till it waits; then the service stops
    with caller:
        said = Said(caller.makefile("rb").read())
    assert (said.statuses, said.field("connection")) == ([200], "close")


def test_an_idle_connection_is_closed_and_one_that_asks_is_not(
    package: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.http.server.KEEP_ALIVE_S", 1)
    with running(app_of(current_of(package, home), home)) as address:
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port or 80), timeout=20) as caller:
            began = time.monotonic()
            for _ in range(3):
                caller.sendall(KEPT)
                assert caller.recv(65_536).startswith(b"HTTP/1.1 200")
                time.sleep(0.5)
            assert caller.recv(65_536) == b""
            assert time.monotonic() - began > 1.9
