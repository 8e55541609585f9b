"""Bodies that processes beside the worker answer: as it would, and what a dead one costs."""

import json
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from contract.processes import GIVE_WAY, GIVE_WAY_AT_ONCE
from contract.settings import Settings
from serving.endpoints.large_bodies import SCHED_SETATTR, TURN_NS, serve
from serving.endpoints.large_body_processes import MOST, processes_of
from serving.log.prediction_record import PredictionRecord
from serving.log.record import decode
from serving.log.segment_frames import Frame, FrameKind, scan
from serving.log.spool import closed_segments, salt_of
from serving.scoring.champion import CurrentVersion
from tests.serving.endpoints.test_predictions import BAD, ROW
from tests.serving.http.test_limits import HEAD
from tests.support.descriptors import none_left
from tests.support.project import PROJECT
from tests.support.running import app_of, current_of, running, spool_in

CORES = len(os.sched_getaffinity(0))
ROWS = [ROW | {"body_mass_g": 3000 + row, "bill_depth_mm": 14 + row / 7} for row in range(3000)]
ODD = ROW | {"island": "Atlantis", "body_mass_g": 99_999}
V2 = {
    "inputs": [
        {
            "name": name,
            "shape": [2],
            "datatype": "BYTES" if isinstance(value, str | None) else "FP64",
            "data": [value, value],
        }
        for name, value in ROW.items()
    ]
}
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("/predict", {"json": {"rows": ROWS}}),
    ("/predict", {"json": {"rows": [ODD, ROW]}}),
    ("/invocations", {"json": {"dataframe_records": [ODD, *ROWS]}}),
    ("/invocations", {"json": {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()]]}}}),
    (
        "/invocations",
        {
            "content": ",".join(ROW) + "\nBiscoe,45.2,14,210.0,5000,\n",
            "headers": {"Content-Type": "text/csv"},
        },
    ),
    ("/v2/models/penguins/infer", {"json": V2 | {"id": "mine"}}),
    ("/v2/models/penguins/versions/9/infer", {"json": V2}),
]
Both = tuple[str, str]


def ask(address: str, path: str = "/predict", **request: Any) -> httpx.Response:
    """An answer; a process starts within a second, on a machine at work within many."""
    return httpx.post(address + path, timeout=120, **request)


def processes() -> list[psutil.Process]:
    """Those that applications of this process have started for large bodies."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "serving.endpoints.large_bodies" in child.cmdline()]


@dataclass(frozen=True)
class Beside:
    """An application that has every body answered by a process, whatever its size."""

    address: str
    current: CurrentVersion
    others: list[psutil.Process]

    @property
    def processes(self) -> list[psutil.Process]:
        """Its processes."""
        return [process for process in processes() if process not in self.others]


@contextmanager
def beside(package: Path, folder: Path, **settings: Any) -> Iterator[Beside]:
    """It, while it runs; its processes end with it."""
    folder.mkdir(exist_ok=True)
    current, others = current_of(package, folder), processes()
    with running(app_of(current, folder, serve_large_bytes=0, **settings)) as address:
        found = Beside(address, current, others)
        yield found
    assert found.processes == []


@pytest.fixture(scope="module")
def both(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """An application that answers itself, and one whose processes do."""
    folder = tmp_path_factory.mktemp("both")
    limits: dict[str, Any] = {"serve_max_rows": 5000, "serve_max_bytes": 1_000_000}
    (folder / "here").mkdir()
    here = app_of(
        current_of(package, folder / "here"), folder / "here", serve_large_bytes=2**30, **limits
    )
    with running(here) as first, beside(package, folder / "beside", **limits) as second:
        yield first, second.address


def told(answer: httpx.Response) -> tuple[int, dict[str, str], str]:
    """An answer without what no two answers share: its id."""
    own_id = answer.headers["X-Prediction-Request-Id"]
    left_out = ("date", "x-prediction-request-id", "content-length")
    headers = {k: v for k, v in answer.headers.items() if k not in left_out}
    return answer.status_code, headers, answer.text.replace(own_id, "its id")


def assert_same(both: Both, path: str, request: dict[str, Any]) -> None:
    named = request | {"headers": request.get("headers", {}) | {"X-Request-Id": "mine"}}
    here, there = (told(ask(address, path, **named)) for address in both)
    assert here == there


@pytest.mark.parametrize(("path", "request_"), GOOD)
def test_a_process_answers_what_the_worker_would(
    both: Both, path: str, request_: dict[str, Any]
) -> None:
    assert_same(both, path, request_)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case[2])
def test_a_process_refuses_as_the_worker_would(
    both: Both, case: tuple[dict[str, Any], int, str]
) -> None:
    for path in ("/predict", "/invocations"):
        assert_same(both, path, case[0])


def test_too_many_rows_are_refused_alike(both: Both) -> None:
    assert_same(both, "/predict", {"json": {"rows": [ROW] * 5001}})


def test_both_count_alike(both: Both) -> None:
    """After the tests above: rows, flags and refusals."""
    for address in both:
        ask(address, json={"rows": [ODD, ROW, ODD]})
    here, there = (counted(httpx.get(f"{address}/metrics").text) for address in both)
    assert here == there
    assert any("unseen" in line for line in here)


def counted(text: str) -> set[str]:
    names = ("fourcycle_rows", "fourcycle_flags", "fourcycle_rejections", "fourcycle_requests")
    return {line for line in text.splitlines() if line.startswith(names)}


def records(folder: Path) -> list[PredictionRecord]:
    """What stands in the spool."""
    found = []
    for segment in closed_segments(folder):
        data = segment.path.read_bytes()
        for part in scan(data, salt_of(segment.spool_id, segment.sequence)):
            assert isinstance(part, Frame)
            record = decode(part)
            if part.kind == FrameKind.PREDICTIONS:
                assert isinstance(record, PredictionRecord)
                found.append(record)
    return found


def test_what_a_process_logs_is_what_the_worker_would(package: Path, home: Path) -> None:
    body, headers = {"rows": [ODD, *ROWS]}, {"X-Source": "form"}
    with beside(package, home / "beside") as app:
        told_id = ask(app.address, json=body, headers=headers).json()["request_id"]
        assert httpx.get(f"{app.address}/ready").json()["degraded"] is False
    (home / "here").mkdir()
    with running(app_of(current_of(package, home / "here"), home / "here")) as address:
        ask(address, json=body, headers=headers).raise_for_status()
    (there,), (here,) = (records(spool_in(home / name)) for name in ("beside", "here"))
    assert there.request_id == told_id
    assert here.n_rows == len(ROWS) + 1
    own = ("request_id", "latency_ms", "logged_time")
    plain = [{f: getattr(r, f) for f in r.__struct_fields__ if f not in own} for r in (there, here)]
    assert plain[0] == plain[1]
    assert 0 < there.latency_ms < 60_000


@pytest.mark.parametrize("full", ["serve", "reject"])
def test_what_a_process_can_not_log_is_told(package: Path, home: Path, full: str) -> None:
    with beside(package, home / "a", log_full=full) as app:
        address = app.address
        body = {"rows": [ROW] * 9}
        assert "X-Logged" not in ask(address, json=body).headers
        shutil.rmtree(spool_in(home / "a"))
        lost = ask(address, json=body)
        ready = httpx.get(f"{address}/ready").json()
        again = ask(address, json=body)
    if full == "serve":
        assert (lost.status_code, lost.headers["X-Logged"]) == (200, "false")
    else:
        assert (lost.status_code, lost.json()["reason"]) == (503, "log_full")
    assert any("folder was removed" in reason for reason in ready["reasons"])
    assert (again.status_code, again.headers.get("X-Logged")) == (200, None)


def test_with_the_log_off_nothing_is_logged(package: Path, home: Path) -> None:
    with beside(package, home / "a", log_sync="off") as app:
        answer = ask(app.address, json={"rows": [ROW]})
    assert answer.headers["X-Logged"] == "false"
    assert not spool_in(home / "a").exists()


def test_a_killed_process_costs_its_body_a_whole_503_and_another_goes_on(
    package: Path, home: Path
) -> None:
    found: list[httpx.Response] = []
    with beside(package, home / "a") as app:
        address = app.address
        assert ask(address, json={"rows": [ROW]}).status_code == 200
        (process,) = app.processes
        process.suspend()  # it is sent a body and can't answer
        asking = threading.Thread(target=lambda: found.append(ask(address, json={"rows": ROWS})))
        asking.start()
        time.sleep(0.5)
        process.kill()
        asking.join(120)
        assert ask(address, json={"rows": ROWS}).status_code == 200
        (process,) = app.processes
        process.kill()  # an idle one
        process.wait(10)
        assert ask(address, json={"rows": [ROW]}).status_code == 200
        text = httpx.get(f"{address}/metrics").text
    (refused,) = found
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert (refused.json()["status"], refused.json()["reason"]) == (503, "interrupted")
    assert 'fourcycle_rejections_total{reason="interrupted"} 1.0' in text


@pytest.mark.parametrize("most", [1, 2])
def test_there_are_as_many_processes_as_are_allowed(package: Path, home: Path, most: int) -> None:
    with (
        beside(package, home / "a", serve_large_processes=most) as app,
        ThreadPoolExecutor(4) as callers,
    ):
        asked = [callers.submit(ask, app.address, json={"rows": ROWS}) for _ in range(4)]
        assert [one.result().status_code for one in asked] == [200] * 4
        assert len(app.processes) == most


def test_callers_who_leave_while_a_process_works_cost_nobody_anything(
    package: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"rows": ROWS}).encode()
    with beside(package, home / "a") as app:
        ask(app.address, json={"rows": [ROW]})
        before, url = app.processes, httpx.URL(app.address)
        for _ in range(5):
            with socket.create_connection((url.host, url.port)) as gone:
                gone.sendall(HEAD % len(body) + body)
                gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert ask(app.address, json={"rows": ROWS}).status_code == 200
        assert set(before) <= set(app.processes)  # it lives on
    assert caplog.text == ""


def test_a_process_that_can_t_be_started_costs_its_body_a_503_and_a_dead_one_no_end(
    package: Path, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with beside(package, home / "a", log_sync="off") as app:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(home / "no-python"))
            refused = ask(app.address, json={"rows": [ROW]})
        assert (refused.status_code, refused.json()["reason"]) == (503, "interrupted")
        assert "a process for large bodies can't be started: [Errno 2]" in caplog.text
        with httpx.Client(base_url=app.address) as caller:
            caller.get("/ping")
            with none_left():
                refused = caller.post("/predict", json={"rows": [ROW]})
        assert (refused.status_code, refused.json()["reason"]) == (503, "interrupted")
        assert "can't be started: [Errno 24]" in caplog.text
        assert ask(app.address, json={"rows": [ROW]}).status_code == 200
        (process,) = app.processes
        process.kill()
        process.wait(10)
        time.sleep(0.2)  # till it is known to be dead; then the application ends


def test_a_worker_that_died_before_it_said_a_word_ends_its_process() -> None:
    worker, process = socket.socketpair()
    with process:
        worker.close()
        serve(process)


LOOK = """
import ctypes, os, platform
from serving.endpoints import large_bodies as asked
def look():
    found = ctypes.create_string_buffer(asked.SCHEDULING.size)
    number = asked.SCHED_SETATTR[platform.machine()] + 1  # of sched_getattr(2)
    assert ctypes.CDLL(None).syscall(number, 0, found, asked.SCHEDULING.size, 0) == 0
    return asked.SCHEDULING.unpack(found.raw)
before = look()
asked.give_way(7)
print(*(before[1:5] + look()[1:6]))
"""


@pytest.mark.skipif(
    platform.machine() not in SCHED_SETATTR, reason="the call's number is not known here"
)
def test_turns_are_long_and_few_and_nothing_else_changes() -> None:
    """Policy, flags and priority stay; kernels before 6.12 know of no length."""
    said = subprocess.run(
        [sys.executable, "-c", LOOK], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    policy, flags, _, priority, *now, turn = map(int, said.stdout.split())
    assert now == [policy, flags, 7, priority]
    major, minor = map(int, platform.release().split(".")[:2])
    assert turn == (TURN_NS if (major, minor) >= (6, 12) else turn)


@pytest.mark.parametrize(
    ("log_sync", "processes", "niceness"),
    [
        ("off", 64, 0),
        ("fsync", 64, GIVE_WAY_AT_ONCE),
        ("fsync", 1, GIVE_WAY if CORES > 1 else GIVE_WAY_AT_ONCE),
    ],
)
def test_large_bodies_are_nice_where_records_are_written_and_more_where_no_core_is_left(
    package: Path, home: Path, log_sync: str, processes: int, niceness: int
) -> None:
    with beside(package, home, log_sync=log_sync, serve_large_processes=processes) as app:
        assert ask(app.address, json={"rows": [ROW]}).status_code == 200
        (process,) = app.processes
        assert process.nice() == max(psutil.Process().nice(), niceness)


def test_a_core_is_left_to_small_requests_where_there_are_two() -> None:
    workers = {n: processes_of(Settings(serve_workers=n)) for n in (1, CORES)}
    assert workers == {1: min(max(1, CORES - 1), MOST), CORES: 1}
    assert processes_of(Settings(serve_workers=1, serve_large_processes=7)) == 7


def test_a_version_that_a_process_can_not_load_is_a_500_and_doubted(
    package: Path, home: Path
) -> None:
    with beside(package, home / "a") as app:
        served, cache = app.current.served(), app.current.cache
        assert served
        shutil.rmtree(cache.version_folder(served.digest))
        answer = ask(app.address, json={"rows": [ROW]})
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal")
    assert cache.doubted(served.digest)
