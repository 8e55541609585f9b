"""The scheduler with real jobs: late labels, kills, a second scheduler, deadlines, its health."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from filelock import FileLock

from contract.settings import read_settings
from contract.tables import Tables
from contract.use_case import Job, UseCase
from contract.use_case_file import load_use_case
from monitoring.history import History, read_history
from monitoring.served import connect, monitoring_experiment
from pipelines.child import LOG_BYTES, found_another, limit
from pipelines.closure import PROJECT
from pipelines.jobs import Place, work
from pipelines.service import free_port
from tests.conftest import MADE, made_use_case
from tests.monitoring import made

DAILY = MADE.replace("monitoring: {", "monitoring: {every: day, ")
PATIENCE_S = 60


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which a champion is registered; each test works on a copy."""
    folder = tmp_path_factory.mktemp("store")
    made.register(folder, made_use_case(folder))
    return folder


def declare(home: Path, **schedule: object) -> UseCase:
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in schedule.items())
    (home / "made.yaml").write_text(f"{DAILY}schedule:\n{lines}", encoding="utf-8")
    return load_use_case("made.yaml")


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "pipelines.schedule", "--use-case", "made.yaml", *options]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(PROJECT)}


def schedule(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*options),
        env=environment(),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@contextmanager
def running(home: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command("--port", str(port)), env=environment(), cwd=home, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


@contextmanager
def jobs_wait(home: Path) -> Iterator[None]:
    """Jobs stand still at their first call to the tracking store."""
    folder = home / "data/.locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "store.lock"):
        yield


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {PATIENCE_S} s"
        time.sleep(0.05)


def known(home: Path, job: str) -> dict[str, Any]:
    file = home / f"data/.locks/made.schedule/{job}.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    return found


def child(home: Path, other: int = 0) -> psutil.Process:
    """The process that does maintain; one that is not `other`."""
    found: list[int] = []

    def is_there() -> bool:
        identity = known(home, "maintain").get("child", "")
        found[:] = [int(identity.split(":")[1])] if identity else []
        return bool(found) and found[0] != other

    until(is_there)
    return psutil.Process(found[0])


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def reports(home: Path) -> History:
    settings = read_settings(str(home / "data"))
    client = connect(settings)
    return read_history(client, monitoring_experiment(client, settings, "made"), "1")


def test_missed_windows_are_caught_up_and_late_labels_make_a_revision(
    home: Path, store: Path
) -> None:
    shutil.copy(store / "mlflow.db", home)
    use_case = declare(
        home, monitor="0 4 * * *", feedback="0 3 * * *", labels="inbox/*.csv", look_back=5
    )
    tables = Tables(str(home / "data"), "made")
    for day in (1, 2):  # few rows: a report without Evidently's pages is made sooner
        made.answer(tables, use_case, made.rows(20, day, f"2024-02-0{day}"))
    done = schedule(home, "--once", "yes")
    assert done.returncode == 0, done.stderr
    titles = [run.data.tags["window"] for run in reports(home).runs]
    assert titles == ["2024-02-02 to 2024-02-03", "2024-02-01 to 2024-02-02"]

    (home / "data/made/inbox").mkdir()
    late = made.rows(20, 1)[["id", "late"]]
    late.to_csv(home / "data/made/inbox/arrived.csv", index=False)
    place = Place("made.yaml", use_case, read_settings(str(home / "data")))
    jobs: tuple[Job, ...] = ("feedback", "monitor")
    for job in jobs:
        assert len(work(job, place, known(home, job)["marks"], datetime.now(UTC)).tasks) == 1
        done = schedule(home, "--job", job)
        assert done.returncode == 0, done.stderr
        assert work(job, place, known(home, job)["marks"], datetime.now(UTC)).tasks == ()
    runs = [(run.data.tags["window"], run.data.tags["revision"]) for run in reports(home).runs]
    assert runs == [
        ("2024-02-01 to 2024-02-02", "2"),
        ("2024-02-02 to 2024-02-03", "1"),
        ("2024-02-01 to 2024-02-02", "1"),
    ]


def test_a_job_that_is_killed_half_way_with_its_scheduler_is_run_again(
    home: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *")
    with jobs_wait(home):
        with running(home, free_port()) as scheduler:
            orphan = child(home)
            scheduler.kill()
            scheduler.wait()
        assert not ended(orphan)
        with running(home, free_port()) as scheduler:
            again = child(home, orphan.pid)
            assert ended(orphan)
        assert scheduler.returncode == 0
        assert ended(again)
    assert (known(home, "maintain")["done"], known(home, "maintain")["failures"]) == (None, 0)
    assert schedule(home, "--once", "yes").returncode == 0
    assert known(home, "maintain")["done"]
    assert schedule(home, "--once", "yes").stderr.strip().endswith("nothing is due")


def test_a_second_scheduler_says_so_and_health_is_told_over_http(
    home: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *", attempts=1)
    port = free_port()
    with running(home, port), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        with jobs_wait(home):
            at_work = child(home)
            for options in ((), ("--once", "yes"), ("--job", "maintain")):
                second = schedule(home, *options)
                assert (second.returncode, second.stdout) == (0, "")
                assert "Another scheduler on this host does maintain of 'made'" in second.stderr
            assert client.get("/health").json()["jobs"]["maintain"]["outcome"] == "running"
            at_work.kill()
            until(lambda: client.get("/health").status_code == 503)
        found = client.get("/health").json()["jobs"]["maintain"]
        assert (found["outcome"], found["failures"], found["well"]) == ("failed", 1, False)
        assert "ended with exit code -9" in client.get("/").text
        assert 'fourcycle_job_well{use_case="made",job="maintain"} 0' in client.get("/metrics").text
        assert client.get("/other").status_code == 404


def test_a_deadline_ends_a_job_and_the_exit_code_says_so(home: Path, empty_store: Path) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *", attempts=2, retry_s=0.1, deadline_s=0.2)
    with jobs_wait(home):
        done = schedule(home, "--once", "yes", "--json", "yes")
    assert done.returncode == 1
    assert "was stopped after 0.2 s, its deadline" in done.stderr
    found = json.loads(done.stdout)["jobs"]["maintain"]
    assert (found["failures"], found["well"]) == (2, False)


def test_work_that_another_process_does_is_no_failure_and_is_left_for_later(
    home: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *", attempts=1)
    (home / "data/.locks").mkdir(parents=True)
    with FileLock(home / "data/.locks/made.lock"):
        done = schedule(home, "--job", "maintain")
    assert done.returncode == 3
    assert "another process is at this work: Another pipeline works on 'made'" in done.stderr
    assert known(home, "maintain")["failures"] == 0


SAID = [
    ("", True),
    ('{"state": "BUSY", "reasons": []}', True),
    ('{"state": "NOT_NEEDED"}', False),
    ("[]", False),
]


@pytest.mark.parametrize(("said", "another"), SAID)
def test_a_command_says_whether_it_did_its_work(said: str, another: bool) -> None:
    assert found_another(said) == another


WRONG = [
    ((), {}, "declares no schedule"),
    (("--job", "monitr"), {"monitor": "0 4 * * *"}, "did you mean 'monitor'"),
    ((), {"monitor": "0 25 * * *"}, "is no cron expression (Bad hour)"),
    (("--port", "x"), {"monitor": "0 4 * * *"}, "port: a number up to 65535"),
]


@pytest.mark.parametrize(("options", "declared", "said"), WRONG)
def test_what_is_wrong_is_named(
    home: Path, options: tuple[str, ...], declared: dict[str, object], said: str
) -> None:
    declare(home, look_back=3, **declared)
    done = schedule(home, *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_full_log_begins_anew_and_keeps_what_was_said(home: Path) -> None:
    log = home / "job.log"
    with log.open("ab") as writer:
        writer.write(b"x" * (LOG_BYTES + 1))
        writer.flush()
        limit(log)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (home / "job.log.1").stat().st_size == LOG_BYTES + 1
