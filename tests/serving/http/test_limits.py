"""Bounds on time and places, what a model or a log that fails leads to, and what is counted."""

import asyncio
import errno
import json
import math
import re
import shutil
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from select import select
from typing import Any

import httpx
import pytest
import uvloop
from msgspec import structs

from serving.log.log import Log
from serving.log.prediction_record import LogFull
from serving.log.record import FEEDBACK_FOLDER
from serving.requests.errors import Problem
from serving.requests.request import Message, read_body, read_head
from serving.scoring.champion import CurrentVersion
from serving.scoring.scorer import Scorer
from serving.scoring.version import ServedVersion
from serving.shipping.shipper_status import status_now, write_status
from serving.telemetry.access_log import AccessLog
from tests.serving.endpoints.test_predictions import JSON, ROW
from tests.support.running import VERSION, app_of, current_of, running, spool_in

BODY = json.dumps({"rows": [ROW]}).encode()
LARGE = json.dumps({"rows": [ROW] * 200}).encode()
HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: a\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@pytest.fixture
def current(package: Path, home: Path) -> CurrentVersion:
    return current_of(package, home)


def scoring(current: CurrentVersion, score: Callable[..., Any]) -> None:
    """Let the served version answer by `score`."""
    served = current.served()
    assert served
    scorer = replace(served.scorer, run=score)
    current._served = replace(served, scorer=scorer)


def test_a_body_that_does_not_come_is_refused_and_its_place_is_freed(
    current: CurrentVersion, home: Path
) -> None:
    app = app_of(current, home, serve_body_s=0.3, serve_concurrency=1)
    with running(app) as address:
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port), timeout=10) as slow:
            slow.sendall(HEAD % len(BODY) + BODY[:5])
            found = slow.makefile("rb").read()  # to the end: the service closes the connection
        assert found.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in found
        assert b"within 0.3 s" in found
        assert httpx.post(f"{address}/predict", content=BODY, headers=JSON).status_code == 200


def test_every_late_body_is_told_so_whatever_the_clock_rounds() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def reason(number: int) -> str:
        call = read_head({"method": "POST", "path": "/", "headers": []})
        seconds = 0.02 + number * 0.0007
        with pytest.raises(Problem) as refused:
            await read_body(call, never, 100, seconds, lambda *_: None)
        return refused.value.reason

    async def all_of_them() -> set[str]:
        return set(await asyncio.gather(*map(reason, range(200))))

    assert uvloop.run(all_of_them()) == {"timeout"}


def test_who_gives_up_on_a_body_is_no_late_caller() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def given_up() -> None:
        call = read_head({"method": "POST", "path": "/", "headers": []})
        reading = asyncio.ensure_future(read_body(call, never, 100, 60, lambda *_: None))
        await asyncio.sleep(0)
        reading.cancel()
        await reading

    with pytest.raises(asyncio.CancelledError):
        uvloop.run(given_up())


def test_a_caller_who_goes_away_frees_his_place(current: CurrentVersion, home: Path) -> None:
    lines = StringIO()
    app = app_of(current, home, lines, serve_concurrency=1)
    with running(app) as address:
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port)) as gone:
            gone.sendall(HEAD % len(BODY) + BODY[:5])
            time.sleep(0.2)
        answers = [httpx.post(f"{address}/predict", content=BODY, headers=JSON) for _ in range(9)]
        assert answers[-1].status_code == 200
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line["status"] for line in told if line["status"] not in (200, 503)] == [499]


async def ask(address: str, connections: int, seconds: float) -> list[tuple[int, float]]:
    """Status and seconds of each answer; who gets a 503 asks again at once."""
    found: list[tuple[int, float]] = []
    until = time.monotonic() + seconds

    async def one(client: httpx.AsyncClient) -> None:
        while time.monotonic() < until:
            started = time.perf_counter()
            answer = await client.post("/predict", content=LARGE, headers=JSON)
            found.append((answer.status_code, time.perf_counter() - started))
            assert answer.status_code == 200 or answer.headers["Retry-After"] == "1"

    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=30) as client:
        await asyncio.gather(*(one(client) for _ in range(connections)))
    return found


def test_what_is_too_much_is_refused_at_once_and_the_rest_goes_on(
    current: CurrentVersion, home: Path
) -> None:
    app = app_of(current, home, serve_concurrency=4)
    with running(app) as address:
        calm = asyncio.run(ask(address, 4, 1))
        crowd = asyncio.run(ask(address, 12, 2))
        after = httpx.post(f"{address}/predict", content=BODY, headers=JSON)
        text = httpx.get(f"{address}/metrics").text
    assert {status for status, _ in calm} == {200}
    assert {status for status, _ in crowd} == {200, 503}
    assert after.status_code == 200
    refused = sum(status == 503 for status, _ in crowd)
    assert f'fourcycle_rejections_total{{reason="overloaded"}} {refused}.0' in text


def begun(address: str, head: bytes, sent: bytes) -> socket.socket:
    """A request whose body has not come to its end."""
    url = httpx.URL(address)
    connection = socket.create_connection((url.host, url.port), timeout=10)
    connection.sendall(head + sent)
    return connection


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_a_body_takes_the_memory_that_it_needs_whatever_else_is_in_work(
    current: CurrentVersion, home: Path
) -> None:
    largest = 100_000
    told, untold = (
        HEAD % largest,
        HEAD.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked"),
    )
    app = app_of(current, home, serve_max_bytes=largest)
    with running(app) as address:
        with ExitStack() as held:
            held.enter_context(begun(address, told, b" "))
            huge = httpx.post(f"{address}/predict", content=b" " * 9 * largest, headers=JSON)
            assert (huge.status_code, huge.headers["connection"]) == (413, "close")
            first = chunk(b" " * 65_000)  # nearly what is booked for it
            many = [held.enter_context(begun(address, untold, first)) for _ in range(10)]
            assert httpx.post(f"{address}/predict", content=BODY, headers=JSON).status_code == 200
            time.sleep(0.2)  # what came is read, else a connection that is closed would be reset
            for one in many:  # together they outgrow the memory for eight of the largest
                one.sendall(chunk(b" " * 6_000))
            refused = select(many, [], [], 10)[0][0].makefile("rb").read()  # to the end: closed
            assert refused.startswith(b"HTTP/1.1 503")
        for _ in range(500):
            if not app.admission.in_work:
                break
            time.sleep(0.01)
        assert (app.admission.in_work, app.admission.bytes) == (0, 0)


@pytest.mark.parametrize(
    "score",
    [
        lambda columns: 1 / 0,
        lambda columns: _floats([[math.nan, 0.5, 0.5]]),
        lambda columns: _floats([[0.1, 0.2, 0.7]] * 7),
    ],
)
def test_a_model_that_fails_is_said_and_counted(
    current: CurrentVersion, home: Path, score: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    scoring(current, score)
    with running(app_of(current, home)) as address:
        answer = httpx.post(f"{address}/invocations", json={"dataframe_records": [ROW]})
        problem = httpx.post(f"{address}/predict", json={"rows": [ROW]})
        text = httpx.get(f"{address}/metrics").text
    assert (answer.status_code, answer.json()["error_code"]) == (500, "model_error")
    assert (problem.status_code, problem.json()["reason"]) == (500, "model_error")
    assert not any(word in answer.text for word in ("Traceback", "Biscoe", "NaN"))
    assert 'fourcycle_rejections_total{reason="model_error"} 2.0' in text
    assert "Biscoe" not in caplog.text


def _floats(rows: list[list[float]]) -> Any:
    import numpy as np

    return np.array(rows)


def test_a_full_log_answers_503_or_says_that_it_is_not_logged(
    current: CurrentVersion, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bool | None] = [False, None]

    def settle(_: Log, problem: str) -> bool:
        logged = said.pop(0)
        if logged is None:
            raise LogFull("The answer could not be logged: disk full; try again later.")
        return logged

    monkeypatch.setattr(Log, "settle", settle)
    with running(app_of(current, home)) as address:
        answered = httpx.post(f"{address}/predict", json={"rows": [ROW]})
        refused = httpx.post(f"{address}/predict", json={"rows": [ROW]})
    assert (answered.status_code, answered.headers["X-Logged"]) == (200, "false")
    assert (refused.status_code, refused.json()["reason"]) == (503, "log_full")
    assert refused.headers["Retry-After"] == "1"


def test_what_fails_beside_the_answers_is_said_and_ends_nothing(
    current: CurrentVersion, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = spool_in(home)
    spool.mkdir(parents=True)
    (spool / FEEDBACK_FOLDER).write_text(
        "no folder: labels are not written, their backlog not read"
    )
    write_status(spool, structs.replace(status_now(spool, 0, ""), time=time.time() - 100))
    label = {"penguin": 1, "label": "Gentoo"}

    def age(address: str) -> float:
        text = httpx.get(f"{address}/metrics").text
        return float(re.findall(r'shipper_age_seconds{table="predictions"} (.+)', text)[0])

    with running(app_of(current, home)) as address:
        refused = httpx.post(f"{address}/feedback", json=label)
        ready = httpx.get(f"{address}/ready").json()
        first = age(address)
        time.sleep(2.2)  # two looks more
        second = age(address)
    assert (refused.status_code, refused.json()["reason"]) == (503, "log_full")
    assert (ready["ready"], ready["degraded"]) == (True, True)
    assert ready["reasons"] == [
        "Feedback can't be taken: Not a directory.",
        "How the shipper of feedback does can't be read: Not a directory.",
    ]
    assert 100 <= first < second - 0.5 < 200
    assert caplog.text.count("the metrics are not up to date: NotADirectoryError") == 1


def test_a_caller_who_goes_away_while_he_is_answered_makes_no_noise(
    current: CurrentVersion, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = current.served()
    assert served
    run, begun_to_answer = served.scorer.run, threading.Event()

    def slow(columns: Any) -> Any:
        begun_to_answer.set()
        time.sleep(0.1)
        return run(columns)

    scoring(current, slow)
    lines = StringIO()
    app = app_of(current, home, lines)
    with running(app) as address:
        for body in (BODY, LARGE):
            with begun(address, HEAD % len(body), body) as gone:
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                assert begun_to_answer.wait(10)
            begun_to_answer.clear()
        assert httpx.post(f"{address}/predict", content=BODY, headers=JSON).status_code == 200
    assert len(lines.getvalue().splitlines()) == 3
    assert (app.admission.in_work, caplog.text) == (0, "")


def test_lines_that_a_full_disk_does_not_take_end_nothing() -> None:
    refused = threading.Event()

    class Disk(StringIO):
        full = True

        def flush(self) -> None:
            if self.full:
                self.truncate(0)
                self.seek(0)
                refused.set()
                raise OSError(errno.ENOSPC, "No space left on device")

    disk = Disk()
    log = AccessLog(disk)
    log.start()
    call = read_head({"method": "GET", "path": "/", "headers": []})
    log.note(call, "during", 200, 0.1)
    assert refused.wait(10)
    disk.full = False
    log.note(call, "after", 200, 0.1)
    log.stop()
    assert [json.loads(line)["route"] for line in disk.getvalue().splitlines()] == ["after"]


def test_before_the_first_promotion_every_way_says_503(home: Path) -> None:
    from serving.scoring.cache import Cache

    current = CurrentVersion(Cache(home / "cache"), "penguins", 60)
    with running(app_of(current, home)) as address:
        for path in ("/predict", "/invocations", "/v2/models/penguins/infer"):
            answer = httpx.post(address + path, json={"rows": [ROW]})
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        ready = httpx.get(f"{address}/ready")
        assert ready.json()["reasons"] == [
            "No version of penguins is in Production yet; "
            "fourcycle main --use-case penguins makes one."
        ]
        for path in ("/ping", "/ready", "/v2/health/ready", "/v2/models/penguins"):
            assert httpx.get(address + path).status_code == 503
        for path in ("/v2/health/live", "/", "/docs", "/openapi.json", "/metrics"):
            assert httpx.get(address + path).status_code == 200
        current.drain()
        assert httpx.get(f"{address}/ready").json()["reasons"][0] == "The service is stopping."


def test_readiness_tells_of_a_spool_that_was_removed_for_good(
    current: CurrentVersion, home: Path
) -> None:
    with running(app_of(current, home)) as address:
        httpx.post(f"{address}/predict", json={"rows": [ROW]})
        shutil.rmtree(spool_in(home))
        logged = [
            httpx.post(f"{address}/predict", json={"rows": [ROW]}).headers.get("X-Logged")
            for _ in range(2)
        ]
        told = httpx.get(f"{address}/ready").json()
        assert logged == ["false", None]
        assert told["ready"]
        assert told["degraded"]
    assert [reason for reason in told["reasons"] if "folder was removed" in reason]


def test_a_line_for_each_request_and_no_value_of_a_row(current: CurrentVersion, home: Path) -> None:
    lines = StringIO()
    with running(app_of(current, home, lines)) as address:
        httpx.post(f"{address}/predict", json={"rows": [ROW]}, headers={"X-Request-Id": "mine"})
        httpx.post(f"{address}/predict", json={"rows": [ROW | {"island": 77123}]})
        httpx.get(f"{address}/77123?77123")
    good, bad, lost = (json.loads(line) for line in lines.getvalue().splitlines())
    assert good | {"time": 0, "duration_ms": 0, "prediction_request_id": 0} == {
        "time": 0,
        "event": "request",
        "request_id": "mine",
        "prediction_request_id": 0,
        "method": "POST",
        "route": "/predict",
        "status": 200,
        "duration_ms": 0,
        "rows": 1,
        "bytes_in": good["bytes_in"],
        "version": VERSION,
    }
    assert (bad["status"], bad["reason"]) == (422, "bad_cell")
    assert (lost["status"], lost["route"]) == (404, "other")
    assert "Biscoe" not in lines.getvalue()
    told = [{**line, "time": 0, "request_id": 0} for line in (good, bad, lost)]  # may hold digits
    assert "77123" not in json.dumps(told)


def test_what_is_unusual_is_counted(current: CurrentVersion, home: Path) -> None:
    odd = ROW | {"island": "Atlantis", "body_mass_g": 99_999}
    with running(app_of(current, home)) as address:
        assert httpx.post(f"{address}/predict", json={"rows": [ROW, odd]}).status_code == 200
        text = httpx.get(f"{address}/metrics").text
    for line in (
        f'fourcycle_rows_total{{logged="yes",version="{VERSION}"}} 2.0',
        'fourcycle_flags_total{column="island",flag="unseen"} 1.0',
        'fourcycle_flags_total{column="body_mass_g",flag="out_of_range"} 1.0',
        'fourcycle_requests_total{route="/predict",status="200"} 1.0',
        'fourcycle_request_seconds_count{route="/predict"} 1.0',
        f'fourcycle_workers_serving{{model="penguins",version="{VERSION}"}} 1.0',
        "fourcycle_workers_ready 1.0",
    ):
        assert line in text


def test_small_requests_are_answered_while_a_large_one_is_worked_on(
    current: CurrentVersion, home: Path
) -> None:
    served = current.served()
    assert isinstance(served, ServedVersion)
    whole: Scorer = served.scorer
    begun, go_on, waited = threading.Event(), threading.Event(), []

    def slow(columns: Any) -> Any:
        if len(columns["island"]) > 1:
            begun.set()
            waited.append(go_on.wait(20))
        return whole.run(columns)

    scoring(current, slow)

    async def both(address: str) -> None:
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            large = asyncio.create_task(client.post("/predict", content=LARGE, headers=JSON))
            assert await asyncio.to_thread(begun.wait, 20)
            assert (await client.post("/predict", content=BODY, headers=JSON)).status_code == 200
            go_on.set()
            assert (await large).status_code == 200

    with running(app_of(current, home)) as address:
        asyncio.run(both(address))
    assert waited == [True]
