"""A monitoring run dies while it sends an alert, or its receiver is away: nothing is lost."""

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from contract.settings import read_settings
from contract.store.tables import Tables
from monitoring.__main__ import main
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest, read_day
from tests.conftest import MADE, made_use_case
from tests.pipelines.test_main import environment
from tests.support import monitored as made
from tests.support.receiver import SECRET, Receiver, listening
from tests.support.rounds import rounds

DAY = 1440  # rows, one a minute
ALARM = "alarm on version 1, 2024-02-02 to 2024-02-03"
RECOVERY = "recovery on version 1, 2024-02-03 to 2024-02-04"


@pytest.fixture
def drifting(home: Path, empty_store: Path) -> None:
    """A champion whose answers shifted on two days and came back on the third; two are reported."""
    shutil.copy(empty_store / "mlflow.db", home)
    use_case = made_use_case(home)
    made.register(home, use_case)
    (home / "made.yaml").write_text(MADE, encoding="utf-8")
    tables = Tables(str(home / "data"), "made")
    for day, shift in ((1, 1.0), (2, 1.0), (3, 0.0)):
        made.answer(tables, use_case, made.rows(DAY, day, f"2024-02-0{day}", shift))
    for day in (1, 2):
        start, end = (read_day("", f"2024-02-0{d}") for d in (day, day + 1))
        monitor(use_case, read_settings(), WindowRequest(start, end))


@pytest.fixture
def receiver(drifting: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The webhook that this process and its children are configured to tell."""
    with listening(Receiver()) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("FOURCYCLE_ALERT_WEBHOOK_SECRET", SECRET)
        yield receiver


def options(day: int) -> list[str]:
    window = ["--from", f"2024-02-0{day}", "--until", f"2024-02-0{day + 1}"]
    return ["--use-case", "made.yaml", *window]


def run(day: int) -> str:
    """What the command says when nobody disturbs it."""
    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, options(day))
    assert done.exit_code == 0, done.output
    return done.stderr


def start() -> "subprocess.Popen[str]":
    """The command on the second day as a process, to be killed."""
    command = [sys.executable, "-m", "monitoring", *options(2)]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)


def test_a_run_that_is_killed_between_sent_and_noted_sends_again_under_the_same_id(
    receiver: Receiver,
) -> None:
    process = start()
    receiver.before = process.kill
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    receiver.before = lambda: None
    assert f"alert: {ALARM}: sent to webhook" in run(2)
    assert "alert:" not in run(2)
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


@pytest.mark.parametrize("seed", range(rounds(few=1, full=20)))
def test_a_run_that_is_killed_at_any_time_loses_no_alert(receiver: Receiver, seed: int) -> None:
    process = start()
    time.sleep(random.Random(seed).uniform(2, 8))
    process.kill()
    process.communicate(timeout=120)
    run(2)
    assert "alert:" not in run(2)
    assert len({d.headers["webhook-id"] for d in receiver.got}) == 1


def test_a_receiver_that_says_no_costs_neither_report_nor_exit_code(receiver: Receiver) -> None:
    receiver.script = [404]
    failed, passed = run(2), run(3)
    said = f"WARNING: webhook did not take the {ALARM}: it answered 404; the next run tries again"
    assert said in failed
    assert "DRIFT (reported before" in failed
    for about in (ALARM, RECOVERY):
        assert f"alert: {about}: sent to webhook" in passed
    assert len(receiver.accepted) == 2


def test_a_report_that_cannot_be_read_costs_its_alert_until_it_is_made_again(
    receiver: Receiver, home: Path
) -> None:
    (newest,) = [p for p in home.rglob("verdict.json") if "2024-02-02 to" in p.read_text()]
    newest.unlink()
    said = run(1)
    assert "WATCH (reported before" in said
    assert "WARNING: nothing was decided on version 1: verdict.json" in said
    assert receiver.got == []
    assert f"alert: {ALARM}: sent to webhook" in run(2)
