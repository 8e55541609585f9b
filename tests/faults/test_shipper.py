"""The shipper is killed at every step, runs twice, loses its store: each row arrives once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from contract.settings import Settings
from contract.store.tables import Tables
from contract.store.upkeep import CHECKPOINT_COMMITS
from contract.use_case.model import UseCase
from pipelines.runtime.code_hash import PROJECT
from serving.log.segment_frames import FrameKind, frame
from serving.log.spool import CLOSED, closed_segments, salt_of
from serving.shipping.batch import Limits
from serving.shipping.shipper import Shipper
from serving.shipping.shipper_status import ShipperStatus, read_status
from tests.conftest import made_use_case
from tests.faults.ship import KILLED
from tests.support.answers import answer, entry, spool_of, spooled
from tests.support.disks import small_disk
from tests.support.rounds import rounds
from tests.support.service import Service, load, running, until
from tests.support.shop import BODY, Case
from tests.support.store import Store
from tests.support.traffic import assert_exactly_once, logged_ids

MOST_THREADS = 16
SCRIPT = [sys.executable, str(Path(__file__).with_name("ship.py"))]


class Writer:
    """A worker that leaves segments, and knows what it answered."""

    def __init__(self, folder: Path, use_case: UseCase) -> None:
        self.told: list[str] = []
        self._use_case = use_case
        self._spool = spool_of(folder, use_case, max_bytes=1)

    def close(self) -> None:
        self._spool.close()

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


def test_a_disk_that_its_own_segments_fill_drains_by_itself(home: Path) -> None:
    """A writer that died left half a frame, and there is no room to set it apart."""
    with small_disk(home / "disk") as disk:
        use_case, folder = made_use_case(home), disk / "s"
        spooled(folder, use_case, [answer(use_case, "dead", n_rows=2)])
        (torn,) = closed_segments(folder)
        with torn.path.open("ab") as file:
            file.write(b"torn" * 500)
        writer = Writer(folder, use_case)
        with pytest.raises(OSError, match="No space left"):
            writer.write(10_000)
        writer.close()
        told = [*writer.told, "dead-0", "dead-1"]
        one = Shipper(folder, Tables(str(home / "data"), "made"), most=Limits(segments=100))
        assert one.attempt() == ""
        assert_exactly_once(told, one.tables)
        assert closed_segments(folder) == []
        (kept,) = (folder / "quarantine").glob("*.unread")
        assert kept.read_bytes() == b"torn" * 500


def spool(home: Path) -> Path:
    """The spool of the tables in `data` where all spools are in the home."""
    settings = Settings.model_validate({"root": str(home / "data"), "log_spool": str(home)})
    return settings.spool_folder("made")


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
        status = read_status(spool(home))
        if status and wanted(status):
            return status
        time.sleep(0.1)
    raise AssertionError(f"after 60 s: {status}")


def test_a_second_one_waits_and_takes_over(home: Path) -> None:
    writer = Writer(spool(home), made_use_case(home))
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


def _has_shipped(rows: int, status: ShipperStatus) -> bool:
    return status.rows_shipped == rows


def test_it_has_few_threads_however_many_commits_lie_behind_it(home: Path) -> None:
    writer = Writer(spool(home), made_use_case(home))
    process = shipper(home, str(home / "data"))
    for number in range(1, 2 * CHECKPOINT_COMMITS):
        writer.write(1)
        wait_for(home, partial(_has_shipped, 2 * number))
    names = [path.read_text().strip() for path in Path(f"/proc/{process.pid}").glob("task/*/comm")]
    process.kill()
    process.communicate()
    assert (len(names) <= MOST_THREADS, names.count("jemalloc_bg_thd")) == (True, 0)
    assert_exactly_once(writer.told, Tables(str(home / "data"), "made"))


def test_what_the_command_can_not_read_is_set_apart_and_the_rest_shipped(home: Path) -> None:
    use_case, folder, root = made_use_case(home), spool(home), str(home / "data")
    answers = [answer(use_case, f"r{number}") for number in range(9)]
    spooled(folder, use_case, answers)
    (segment,) = closed_segments(folder)
    content = bytearray(segment.path.read_bytes())
    content[content.index(b"r4")] ^= 255
    newer = frame(FrameKind.PREDICTIONS, 9, 1, b"", salt_of(segment.spool_id, segment.sequence))
    segment.path.write_bytes(newer + content)
    process = shipper(home, root, "--drain", "yes")
    process.communicate(timeout=60)
    assert process.returncode == 0
    readable = [name for one in answers if one.request_id != "r4" for name in one.prediction_ids]
    assert sorted(logged_ids(Tables(root, "made"))) == readable
    facts = sorted((folder / "quarantine").glob("*.json"))
    reasons = [json.loads(path.read_text())["reason"] for path in facts]
    assert ["record version 9" in reasons[0], "file is damaged" in reasons[1]] == [True, True]
    assert (len(reasons), closed_segments(folder)) == (2, [])


def test_the_store_goes_away_and_comes_back_and_no_request_notices(
    store: Store, case: Case
) -> None:
    case.promote(0)
    case.warm()
    quick = {"log_segment_s": "0.2", "ship_every_s": "0.2"}
    folders = {"root": store.root, "log_spool": str(case.folder / "spool")}
    with running(case.use_case, case.shop.uri, case.folder, **folders, **quick) as service:
        until(service.ready)
        with load(service.address, BODY, clients=2, pause_s=0.02) as asking:
            until(lambda: seen(service).rows_shipped)
            store.kill()
            until(lambda: seen(service).problem and seen(service).backlog_rows)
            time.sleep(rounds(1, 300))
            until(lambda: all(told(service, f"log_backlog_{what}") for what in BACKLOG))
            store.start()
            until(lambda: not seen(service).problem)
        assert service.stop() == 0
    assert asking.failed == []
    assert_exactly_once(asking.told, service.tables)
    assert closed_segments(service.spool) == []


def seen(service: Service) -> ShipperStatus:
    """What the shipper of the service sees."""
    return read_status(service.spool) or ShipperStatus(0, 0, 0, 0, 0, 0, 0, "")


BACKLOG = ("rows", "bytes", "age_seconds")


def told(service: Service, name: str) -> float:
    """What /metrics tells of the table of predictions."""
    start = f'fourcycle_{name}{{table="predictions"}} '
    lines = httpx.get(f"{service.address}/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(start)), 0.0)
