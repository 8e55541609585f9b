"""Whatever happens to the service, the table holds each row that a client was told, once."""

import random
import re
import time
from pathlib import Path

import httpx

from pipelines.main import Outcome
from tests.support.disks import fill, small_disk
from tests.support.rounds import rounds
from tests.support.service import Load, load, until
from tests.support.traffic import BODY, assert_exactly_once, service

A_PAGE = 30  # requests that the open segment's last page can't take
Trained = tuple[Path, Outcome]


def test_workers_killed_under_load(trained: Trained, home: Path) -> None:
    chance = random.Random(0)
    with service(trained[0], home, serve_workers="2") as running:
        with load(running.address, BODY, pause_s=0) as clients:
            for _ in range(rounds(5, 50)):
                time.sleep(chance.uniform(0.2, 1.0))
                until(running.parts, "serving.worker")
                worker = chance.choice(running.parts("serving.worker"))
                worker.kill()
                worker.wait(10)  # it is gone: what it had acknowledged is all that is left of it
        running.stop()
    assert clients.statuses.keys() == {200}
    assert_exactly_once(clients.told, running.tables)


def test_writers_killed_under_load(trained: Trained, home: Path) -> None:
    """A worker goes on: of what its writer had, it says that it is not logged."""
    chance = random.Random(0)
    with service(trained[0], home, serve_workers="2") as running:
        with load(running.address, BODY, pause_s=0) as clients:
            for _ in range(rounds(3, 50)):
                time.sleep(chance.uniform(0.2, 1.0))
                until(running.parts, "serving.log.writer")
                chance.choice(running.parts("serving.log.writer")).kill()
        running.stop()
    assert clients.statuses.keys() == {200}
    assert clients.failed == []
    assert clients.not_logged  # the kills were felt
    assert_exactly_once(clients.told, running.tables)


def test_sigterm_under_load_ships_the_last_answer(trained: Trained, home: Path) -> None:
    with (
        service(trained[0], home, serve_workers="2") as running,
        load(running.address, BODY, pause_s=0) as clients,
    ):
        time.sleep(1.5)
        running.stop()
    assert clients.statuses.keys() <= {200, 503}
    assert_exactly_once(clients.told, running.tables)
    assert [path for path in running.spool.iterdir() if path.suffix in (".open", ".segment")] == []


def test_a_full_disk_under_policy_serve(trained: Trained, home: Path) -> None:
    with (
        small_disk(home / "disk") as disk,
        service(trained[0], home, log_spool=str(disk)) as running,
        httpx.Client(base_url=running.address, timeout=20) as client,
    ):
        clients = Load(running.address, BODY)
        clients.ask(client)
        filler = fill(disk)
        for _ in range(A_PAGE):
            clients.ask(client)
        assert clients.not_logged
        counted = f'fourcycle_rows_total{{logged="no",version="1"}} {len(clients.not_logged)}.0'
        assert counted in client.get("/metrics").text
        assert "No space left" in str(client.get("/ready").json()["reasons"])
        filler.unlink()
        told = len(clients.told)
        clients.ask(client)
        assert len(clients.told) == told + 2
        until(lambda: not client.get("/ready").json()["degraded"])  # the shipper looks again
        running.stop()
        assert set(clients.statuses) == {200}
        assert_exactly_once(clients.told, running.tables)
        assert not (running.spool / "quarantine").exists()


def test_a_full_disk_under_policy_reject(trained: Trained, home: Path) -> None:
    with (
        small_disk(home / "disk") as disk,
        service(trained[0], home, log_spool=str(disk), log_full="reject") as running,
        httpx.Client(base_url=running.address, timeout=20) as client,
    ):
        clients = Load(running.address, BODY)
        filler = fill(disk)
        for _ in range(A_PAGE):
            clients.ask(client)
        assert clients.asked[-1].status == 503
        labels = [label(client) for _ in range(A_PAGE)]
        assert labels[-1] == 503
        filler.unlink()
        assert clients.ask(client).status == 200
        labels.append(label(client))
        assert labels[-1] == 202
        running.stop()
        assert clients.not_logged == []
        assert_exactly_once(clients.told, running.tables)
        assert running.tables.read("feedback").num_rows == labels.count(202)


def label(client: httpx.Client) -> int:
    """Status of a label for a row named by its key."""
    return client.post("/feedback", json={"penguin": 1, "label": "Gentoo"}).status_code


CALL = re.compile(r"^(?P<thread>\d+) +(?P<name>\w+)\((?P<file>\d+)(?P<rest>.*)$")
RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. fdatasync resumed>.* = 0$")


def test_the_sync_returns_before_the_answer_is_written(trained: Trained, home: Path) -> None:
    """Asked of the kernel: record written, fdatasync returned 0, then the answer, for each id."""
    trace = home / "trace"
    strace = ["strace", "-f", "--seccomp-bpf", "-s", "4096", "-o", str(trace)]
    calls = "trace=fdatasync,write,writev,sendto,sendmsg"
    with service(trained[0], home, [*strace, "-e", calls]) as running:
        with httpx.Client(base_url=running.address, timeout=60) as client:
            clients = Load(running.address, BODY)
            for _ in range(5):
                clients.ask(client)
        running.parts("serving")[0].terminate()  # not strace itself
        running.process.wait(timeout=60)
    assert len(clients.told) == 10
    for request_id in {told.rpartition("-")[0] for told in clients.told}:
        written, synced, answered = _order(trace.read_text(errors="replace"), request_id)
        assert written < synced < answered


def _order(trace: str, request_id: str) -> tuple[int, int, int]:
    """Lines where the record was written, its sync had returned 0, the answer was written."""
    written: dict[tuple[str, str], int] = {}  # by thread and file
    syncing: dict[str, str] = {}  # files, by thread
    found = 0, 0
    for number, line in enumerate(trace.splitlines(), 1):
        call, resumed = CALL.match(line), RESUMED.match(line)
        if "HTTP/1.1 200" in line and request_id in line:
            return *found, number
        if call and call["name"] == "write" and request_id in line:
            written[call["thread"], call["file"]] = number
        elif call and call["name"] == "fdatasync":
            syncing[call["thread"]] = call["file"]
        returned = resumed or (call if call and line.endswith("= 0") else None)
        if returned and found == (0, 0):
            thread = returned["thread"]
            at = written.get((thread, syncing.get(thread, "")), 0)
            found = (at, number) if at else found
    raise AssertionError(f"no answer with {request_id} in the trace")
