"""The shipper is killed at every step, runs twice, loses its store: each row arrives once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.tables import Tables
from contract.use_case import UseCase
from pipelines.closure import PROJECT
from serving.shipper_status import ShipperStatus, read_status
from serving.spool import CLOSED, closed_segments
from tests.conftest import made_use_case
from tests.faults.rounds import rounds
from tests.faults.ship import KILLED
from tests.faults.store import Store
from tests.faults.traffic import assert_exactly_once
from tests.serving.answers import answer, entry, spool_of

SCRIPT = [sys.executable, str(Path(__file__).with_name("ship.py"))]


class Writer:
    """A worker that leaves segments, and knows what it answered."""

    def __init__(self, folder: Path, use_case: UseCase) -> None:
        self.told: list[str] = []
        self._use_case = use_case
        self._spool = spool_of(folder, use_case, max_bytes=1)

    def write(self, n_segments: int) -> None:
        for _ in range(n_segments):
            answered = answer(self._use_case, f"r{len(self.told)}", n_rows=2)
            self._spool.write([entry(answered)], sync=False)
            self.told += answered.prediction_ids


@pytest.fixture
def writer(home: Path) -> Writer:
    return Writer(home / "s", made_use_case(home))


def ship(home: Path, calls: int = 0) -> "subprocess.Popen[str]":
    command = [*SCRIPT, str(home / "s"), str(home / "data"), str(calls)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def test_killed_at_any_step(writer: Writer, home: Path) -> None:
    writer.write(2)
    code, said = ended(ship(home))
    assert code == 0
    steps = range(1, int(said) + 1)
    for step in random.Random(0).sample(steps, rounds(6, len(steps))):
        writer.write(2)
        noise = home / "s" / f"{step}.00000001.0{CLOSED}"  # gives the quarantine work too
        noise.write_bytes(b"noise")
        code, _ = ended(ship(home, step))
        assert code == KILLED
    assert ended(ship(home))[0] == 0
    assert_exactly_once(writer.told, Tables(str(home / "data"), "made"))
    assert closed_segments(home / "s") == []


def test_two_shippers_without_their_lock_and_kills(writer: Writer, home: Path) -> None:
    """The lock spares work; what makes it exact is the table."""
    chance = random.Random(0)
    for _ in range(rounds(2, 40)):
        writer.write(5)
        pair = [ship(home), ship(home)]
        time.sleep(chance.uniform(0.5, 2.0))
        pair[0].kill()
        for process in pair:
            process.communicate(timeout=60)  # the other may find a segment gone, and end
    assert ended(ship(home))[0] == 0
    assert_exactly_once(writer.told, Tables(str(home / "data"), "made"))


def shipper(home: Path, root: str, *options: str, **environment: str) -> "subprocess.Popen[str]":
    """The command as an operator runs it."""
    command = [sys.executable, "-m", "serving.shipper", "--name", "made", "--root", root, *options]
    settings = {"FOURCYCLE_LOG_SPOOL": str(home), "FOURCYCLE_SHIP_EVERY_S": "0.2"}
    return subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | settings | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(home: Path, wanted: Callable[[ShipperStatus], bool]) -> ShipperStatus:
    """What the shipper says, once it is what is wanted."""
    for _ in range(600):
        status = read_status(home / "made")
        if status and wanted(status):
            return status
        time.sleep(0.1)
    raise AssertionError(f"after 60 s: {status}")


def test_a_second_one_waits_and_takes_over(home: Path) -> None:
    writer = Writer(home / "made", made_use_case(home))
    root = str(home / "data")
    first = shipper(home, root)
    wait_for(home, lambda status: status.process == first.pid)
    second = shipper(home, root)
    drain = shipper(home, root, "--drain", "yes")
    _, said = drain.communicate(timeout=60)
    assert (drain.returncode, "Another shipper works on" in said) == (0, True)
    writer.write(3)
    first.kill()
    first.communicate()
    wait_for(home, lambda status: status.process == second.pid and not status.backlog_rows)
    writer.write(3)
    second.send_signal(signal.SIGTERM)  # the last pass ships what is there
    second.communicate(timeout=60)
    assert second.returncode == 0
    assert_exactly_once(writer.told, Tables(root, "made"))


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Running, and known to this process too."""
    store = Store(home / "store")
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    store.start()
    yield store
    store.kill()


def test_the_store_goes_away_and_comes_back(store: Store, home: Path) -> None:
    writer = Writer(home / "made", made_use_case(home))
    writer.write(3)
    process = shipper(home, store.root)
    try:
        wait_for(home, lambda status: status.rows_shipped == 6)
        store.kill()
        writer.write(3)
        status = wait_for(home, lambda status: bool(status.problem))
        assert status.backlog_rows == 6
        time.sleep(rounds(1, 300))
        writer.write(3)
        store.start()
        wait_for(home, lambda status: status.rows_shipped == 18 and not status.problem)
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert_exactly_once(writer.told, Tables(store.root, "made"))
