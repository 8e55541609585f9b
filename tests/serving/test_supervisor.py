"""The supervisor, on small programs: what dies is started again, what stops stops in order."""

import asyncio
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from contract.errors import BadInput
from serving.supervisor import Child, supervise

# Each start and each end is one line of the diary.
DIARY = """
import signal, sys, time
path, name = sys.argv[1:3]
def write(what):
    with open(path, "a") as diary:
        diary.write(name + " " + what + chr(10))
def stop(*_):
    write("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else stop)
write("started")
time.sleep(0.05 if "mortal" in sys.argv else 60)
"""


def child(diary: Path, name: str, *habits: str, patience_s: float = 10) -> Child:
    return Child(name, ("-c", DIARY, str(diary), name, *habits), patience_s=patience_s)


def lines(diary: Path) -> list[str]:
    return diary.read_text().splitlines() if diary.exists() else []


async def until(diary: Path, line: str, times: int = 1) -> None:
    async with asyncio.timeout(20):
        while lines(diary).count(line) < times:
            await asyncio.sleep(0.02)


def test_workers_end_before_what_stands_beside_them(home: Path) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        workers = [child(home / "diary", "worker")]
        running = asyncio.create_task(supervise(workers, [child(home / "diary", "other")], stop))
        await until(home / "diary", "worker started")
        await until(home / "diary", "other started")
        signal.raise_signal(signal.SIGTERM)
        await running

    asyncio.run(run())
    assert lines(home / "diary")[-2:] == ["worker stopped", "other stopped"]


def test_what_dies_is_started_again_each_time_a_little_later(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        dying = child(home / "diary", "worker", "mortal")
        running = asyncio.create_task(supervise([dying], [], stop))
        await until(home / "diary", "worker started", 3)
        stop.set()
        await running

    asyncio.run(run())
    said = [record.getMessage() for record in caplog.records]
    assert said[:2] == [
        "worker ended with exit code 0, next start in 0.2 s",
        "worker ended with exit code 0, next start in 0.4 s",
    ]


def test_what_can_not_run_with_its_settings_is_not_tried_again(home: Path) -> None:
    wrong = Child("worker", ("-c", "raise SystemExit(2)"))
    beside = [child(home / "diary", "other")]
    with pytest.raises(BadInput, match="stands above"):
        asyncio.run(asyncio.wait_for(supervise([wrong], beside, asyncio.Event()), 20))


def test_what_does_not_stop_is_killed(home: Path) -> None:
    async def run() -> float:
        stop = asyncio.Event()
        stubborn = child(home / "diary", "worker", "stubborn", patience_s=0.3)
        running = asyncio.create_task(supervise([stubborn], [], stop))
        await until(home / "diary", "worker started")
        stop.set()
        started = time.monotonic()
        await running
        return time.monotonic() - started

    assert 0.3 <= asyncio.run(run()) < 10


def with_last(diary: Path, *habits: str) -> Child:
    """A program that has something to do at the end, even where it is not running then."""
    usual = child(diary, "other", *habits)
    return replace(usual, last=("-c", DIARY, str(diary), "last", "mortal"))


def test_what_pauses_at_the_end_runs_once_more(home: Path) -> None:
    async def run() -> None:
        stop, diary = asyncio.Event(), home / "diary"
        workers = [child(diary, "worker")]
        running = asyncio.create_task(supervise(workers, [with_last(diary, "mortal")], stop))
        await until(diary, "worker started")
        await until(diary, "other started", 5)
        await asyncio.sleep(1)  # it has ended; the pause takes seconds
        stop.set()
        await running

    asyncio.run(run())
    assert lines(home / "diary")[-2:] == ["worker stopped", "last started"]


def test_what_was_too_young_to_hear_of_the_end_runs_once_more(home: Path) -> None:
    async def run() -> None:
        stop, diary = asyncio.Event(), home / "diary"
        deaf = replace(with_last(diary), arguments=("-c", "import time; time.sleep(60)"))
        workers = [child(diary, "worker")]
        running = asyncio.create_task(supervise(workers, [deaf], stop))
        await until(diary, "worker started")
        stop.set()
        await running

    asyncio.run(run())
    assert lines(home / "diary")[-2:] == ["worker stopped", "last started"]


def test_what_stops_in_order_does_not_run_once_more(home: Path) -> None:
    async def run() -> None:
        stop, diary = asyncio.Event(), home / "diary"
        running = asyncio.create_task(supervise([child(diary, "worker")], [with_last(diary)], stop))
        await until(diary, "other started")
        stop.set()
        await running

    asyncio.run(run())
    assert lines(home / "diary")[-1:] == ["other stopped"]


def test_what_does_not_end_when_it_runs_once_more_is_killed(home: Path) -> None:
    async def run() -> float:
        stop, diary = asyncio.Event(), home / "diary"
        stubborn = ("-c", DIARY, str(diary), "last", "stubborn")
        deaf = Child("other", ("-c", "import time; time.sleep(60)"), patience_s=0.5, last=stubborn)
        running = asyncio.create_task(supervise([child(diary, "worker")], [deaf], stop))
        await until(diary, "worker started")
        stop.set()
        started = time.monotonic()
        await running
        return time.monotonic() - started

    assert 0.5 <= asyncio.run(run()) < 10
