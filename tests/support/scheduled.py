"""A use case under a scheduler that is a real process, and a look at what it knows."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock
from mlflow import MlflowClient

from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from monitoring.report.history import read_history
from monitoring.windows.versions import monitoring_experiment
from pipelines.runtime.code_hash import PROJECT
from tests.conftest import MADE
from tests.support import monitored as made
from tracking.store import connect

DAILY = MADE.replace("monitoring: {", "monitoring: {every: day, ")
PATIENCE_S = 180  # a quiet machine needs ten seconds
WATCHED: dict[str, object] = {
    "monitor": "0 4 * * *",
    "feedback": "0 3 * * *",
    "labels": "inbox/*.csv",
    "look_back": 5,
}


def declare(home: Path, **schedule: object) -> UseCase:
    lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in schedule.items())
    (home / "made.yaml").write_text(f"{DAILY}schedule:\n{lines}", encoding="utf-8")
    return load_use_case(str(home / "made.yaml"))


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "pipelines.schedule", "--use-case", "made.yaml", *options]


def environment(home: Path) -> dict[str, str]:
    """MLflow leaves the address of the last store that the test looked into in its environment."""
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    return os.environ | store | {"PYTHONPATH": str(PROJECT)}


def schedule(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*options),
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@contextmanager
def running(home: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command("--port", str(port)),
        env=environment(home),
        cwd=home,
        stderr=subprocess.PIPE,
        text=True,
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
    with FileLock(home / "mlflow.db.lock"):
        yield


def until(holds: Callable[..., object], *arguments: object) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds(*arguments):
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


def marks(home: Path, job: str) -> dict[str, str]:
    found: dict[str, str] = known(home, job).get("marks", {})
    return found


def answered(home: Path, use_case: UseCase, day: int) -> None:
    """A window with few rows: its report has no pages of Evidently and is made sooner."""
    tables = Tables(str(home / "data"), "made")
    made.answer(tables, use_case, made.rows(20, day, f"2024-02-0{day}"))


def label(home: Path, day: int) -> None:
    """A file of labels for a window's rows."""
    inbox = home / "data/made/inbox"
    inbox.mkdir(parents=True)
    made.rows(20, day)[["id", "late"]].to_csv(inbox / f"{day}.csv", index=False)


def reports(home: Path) -> list[tuple[str, str]]:
    """Window and revision of each finished report, in order."""
    runs = read_history(*store(home), "1").runs
    return sorted((run.data.tags["window"], run.data.tags["revision"]) for run in runs)


def monitored(home: Path) -> tuple[list[tuple[int, float]], str]:
    """Steps and rows on the version's timeline, and the window that its tags name."""
    client, where = store(home)
    (timeline,) = client.search_runs([where], "tags.step = 'timeline'")
    found = client.get_metric_history(timeline.info.run_id, "rows")
    steps = sorted((figure.step, figure.value) for figure in found)
    return steps, client.get_model_version("made", "1").tags["monitoring_window"]


def store(home: Path) -> tuple[MlflowClient, str]:
    """The folder's tracking store, and the experiment of monitoring in it."""
    settings = read_settings(str(home / "data")).model_copy(
        update={"tracking_uri": f"sqlite:///{home}/mlflow.db"}
    )
    client = connect(settings)
    return client, monitoring_experiment(client, settings, "made")
