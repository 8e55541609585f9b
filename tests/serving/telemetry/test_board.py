"""Any worker answers for all: who runs, who is ready, and with which version."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from contract.settings import Settings
from serving.scoring.cache import Cache
from serving.scoring.champion import CurrentVersion, Status
from serving.telemetry.board import Board, Worker, open_board
from serving.telemetry.metrics import SHARED


@pytest.fixture
def status(home: Path) -> Status:
    """Of a worker that nothing was promoted to."""
    return CurrentVersion(Cache(home / "cache"), "penguins", 60).status()


def note(folder: Path, worker: Worker) -> None:
    (folder / f"worker-{worker.pid}.json").write_bytes(msgspec.json.encode(worker))


def test_another_worker_that_is_not_ready_is_told(home: Path, status: Status) -> None:
    board, parent = Board(home, 2), os.getppid()
    board.tell(status)
    alone = board.look(status)
    assert (len(alone.running), alone.reasons) == (1, ["1 of 2 workers run."])
    note(home, Worker(parent, ready=False, version=None))
    both = board.look(status)
    assert not both.all_ready
    assert both.reasons == ["1 of 2 workers can't answer."]
    note(home, Worker(parent, ready=True, version="3"))
    found = board.look(status)
    assert found.reasons == []
    assert found.told == {"asked": 2, "running": 2, "ready": 1, "versions": {"3": 1}}


def test_a_worker_that_is_dead_is_forgotten(home: Path, status: Status) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    note(home, Worker(dead.pid, ready=False, version=None))
    assert len(Board(home, 1).look(status).running) == 1
    assert not list(home.glob("worker-*.json"))


def test_one_worker_has_no_board(
    home: Path, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SHARED, raising=False)
    board = open_board(Settings())
    board.tell(status)
    assert board.look(status).told["asked"] == 1
    monkeypatch.setenv(SHARED, str(home))
    open_board(Settings()).tell(status)
    assert [path.name for path in home.glob("worker-*")] == [f"worker-{os.getpid()}.json"]
