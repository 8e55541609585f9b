"""The log: what its settings promise, over real files."""

import asyncio
import errno
import itertools
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.settings import LogFullPolicy, LogSync
from contract.tables import Tables
from contract.use_case import UseCase
from serving.answered import LogFull
from serving.cargo import PREDICTIONS
from serving.log import Log
from serving.segment_rows import read_segment
from serving.shipper import Shipper
from serving.spool import closed_segments
from tests.conftest import made_use_case
from tests.faults.traffic import logged_ids
from tests.serving.answers import answer, spool_of


@pytest.fixture
def use_case(home: Path) -> UseCase:
    return made_use_case(home)


def log_in(
    folder: Path,
    use_case: UseCase,
    sync: LogSync = "fsync",
    full: LogFullPolicy = "serve",
    max_age_s: float = 10,
) -> Log:
    log = Log(spool_of(folder, use_case, max_age_s=max_age_s), sync, full)
    log.declare(use_case)
    return log


def ids_in(folder: Path) -> list[str]:
    tables = [
        t for s in closed_segments(folder) for t in read_segment(s, PREDICTIONS).tables.values()
    ]
    return [value for table in tables for value in table.column("prediction_id").to_pylist()]


@pytest.mark.parametrize("sync", ["fsync", "os"])
def test_every_waiting_request_is_logged(home: Path, use_case: UseCase, sync: LogSync) -> None:
    answers = [answer(use_case, f"r{number}", n_rows=2) for number in range(50)]

    async def work() -> list[bool]:
        log = log_in(home / "s", use_case, sync)
        done = await asyncio.gather(*map(log.append, answers))
        assert (log.rows_logged, log.rows_not_logged, log.problem) == (100, 0, "")
        await log.close()
        return done

    assert asyncio.run(work()) == [True] * 50
    assert ids_in(home / "s") == [i for a in answers for i in a.prediction_ids]


def test_off_writes_nothing_and_says_so(home: Path, use_case: UseCase) -> None:
    async def work() -> bool:
        log = log_in(home / "s", use_case, "off")
        done = await log.append(answer(use_case, "r"))
        await log.close()
        return done

    assert asyncio.run(work()) is False
    assert not (home / "s").exists()


@contextmanager
def no_file_larger_than(n_bytes: int) -> Iterator[None]:
    """The disk is full for this process: a write beyond the size fails, in part or whole."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_policy_serve_counts_what_it_could_not_log_and_recovers(
    home: Path, use_case: UseCase
) -> None:
    async def work() -> list[bool]:
        log = log_in(home / "s", use_case)
        done = [await log.append(answer(use_case, "before"))]
        with no_file_larger_than(600):
            done.append(await log.append(answer(use_case, "during", n_rows=9)))
            assert log.problem
            assert log.rows_not_logged == 9
        done.append(await log.append(answer(use_case, "after")))
        assert log.problem == ""
        await log.close()
        return done

    assert asyncio.run(work()) == [True, False, True]
    assert ids_in(home / "s") == ["before-0", "after-0"]
    assert [
        part for s in closed_segments(home / "s") for part in read_segment(s, PREDICTIONS).unread
    ] == []


def test_policy_reject_raises_and_recovers(home: Path, use_case: UseCase) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case, full="reject")
        with no_file_larger_than(10), pytest.raises(LogFull, match="could not be logged"):
            await log.append(answer(use_case, "during"))
        assert await log.append(answer(use_case, "after"))
        await log.close()

    asyncio.run(work())
    assert ids_in(home / "s") == ["after-0"]


def test_a_sync_that_fails_is_told_and_nothing_follows_it_in_its_segment(
    home: Path, use_case: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the disk holds of a write whose sync failed nobody knows."""
    failing: list[int] = []

    def fdatasync(descriptor: int) -> None:
        if failing:
            raise OSError(failing.pop(), "Input/output error")
        sync(descriptor)

    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", fdatasync)

    async def work() -> list[bool]:
        log = log_in(home / "s", use_case)
        done = [await log.append(answer(use_case, "before"))]
        failing.append(errno.EIO)
        done.append(await log.append(answer(use_case, "during")))
        assert (log.problem, log.rows_not_logged) == ("Input/output error", 1)
        assert len(closed_segments(home / "s")) == 1
        done.append(await log.append(answer(use_case, "after")))
        assert (log.problem, log.rows_logged) == ("", 2)
        await log.close()
        return done

    assert asyncio.run(work()) == [True, False, True]
    assert [(s.sequence, s.rows) for s in closed_segments(home / "s")] == [(1, 1), (2, 1)]
    tables = Tables(str(home / "data"), use_case.name)
    Shipper(home / "s", tables).drain()
    assert sorted(logged_ids(tables)) == ["after-0", "before-0"]
    assert not (home / "s" / "quarantine").exists()


def test_an_old_segment_is_closed_though_nobody_asks(home: Path, use_case: UseCase) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case, "os", max_age_s=0.1)
        for number in range(2):  # the second finds no segment open
            await log.append(answer(use_case, f"r{number}"))
            for _ in range(100):
                if len(closed_segments(home / "s")) > number:
                    break
                await asyncio.sleep(0.05)
            assert ids_in(home / "s") == [f"r{done}-0" for done in range(number + 1)]
        await log.close()

    asyncio.run(work())


def test_a_caller_who_goes_away_costs_nobody_an_answer(home: Path, use_case: UseCase) -> None:
    async def work() -> bool:
        log = log_in(home / "s", use_case)
        impatient = asyncio.create_task(log.append(answer(use_case, "gone")))
        patient = asyncio.create_task(log.append(answer(use_case, "there")))
        await asyncio.sleep(0)
        impatient.cancel()
        done = await patient
        await log.close()
        return done

    assert asyncio.run(work())
    assert "there-0" in ids_in(home / "s")


def test_a_fault_of_ours_reaches_the_caller_and_ends_nothing(home: Path, use_case: UseCase) -> None:
    async def work() -> bool:
        log = log_in(home / "s", use_case)
        with pytest.raises(KeyError):
            await log.append(answer(use_case, "odd", schema_hash="never declared"))
        done = await log.append(answer(use_case, "r"))
        await log.close()
        return done

    assert asyncio.run(work())


def test_a_fault_while_a_segment_is_closed_ends_nothing(
    home: Path, use_case: UseCase, caplog: pytest.LogCaptureFixture
) -> None:
    looks = itertools.count()

    def clock() -> float:
        if next(looks) == 1:  # the first is when the segment is opened, this one how old it is
            raise ValueError("no time")
        return time.monotonic()

    async def work() -> list[bool]:
        log = Log(spool_of(home / "s", use_case, clock=clock), "fsync", "serve")
        log.declare(use_case)
        async with asyncio.timeout(20):
            done = [await log.append(answer(use_case, request_id)) for request_id in "ab"]
        await log.close()
        return done

    assert asyncio.run(work()) == [True, True]
    assert ids_in(home / "s") == ["a-0", "b-0"]
    assert "a segment can't be closed (ValueError)" in caplog.text


@pytest.mark.parametrize("used", [False, True])
def test_nothing_is_logged_after_the_end_and_nobody_waits_for_it(
    home: Path, use_case: UseCase, used: bool
) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case, full="reject")
        if used:
            await log.append(answer(use_case, "before"))
        closing = asyncio.create_task(log.close())
        async with asyncio.timeout(20):
            for _ in range(2):  # while it is closed, and afterwards
                await asyncio.sleep(0)
                with pytest.raises(LogFull, match="it is closed"):
                    await log.append(answer(use_case, "after"))
                await closing

    asyncio.run(work())
    assert ids_in(home / "s") == ["before-0"] * used
