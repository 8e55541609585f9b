"""The log: what its settings promise, over real files."""

import asyncio
import itertools
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import uvloop

from contract.settings import LogFullPolicy, LogSync
from contract.use_case.model import UseCase
from serving.log.group_commit import GONE, RESTART_S, GroupCommit
from serving.log.log import Log
from serving.log.prediction_record import LogFull
from serving.log.record import RecordSchema, encode
from serving.log.spool import close_leftovers, closed_segments
from serving.log.writer import WriterOptions
from serving.shipping.record_kinds import PREDICTIONS
from serving.shipping.segment_rows import read_segment
from tests.conftest import made_use_case
from tests.support.answers import ONE_SEGMENT, answer, entry, records_in
from tests.support.descriptors import none_left


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
    log = Log(folder, ONE_SEGMENT, max_age_s, sync, full)
    log.declare(use_case)
    return log


def ids_in(folder: Path) -> list[str]:
    return [name for one in records_in(folder) for name in one.prediction_ids]


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run])
@pytest.mark.parametrize("sync", ["fsync", "os"])
def test_every_waiting_request_is_logged(
    home: Path, use_case: UseCase, sync: LogSync, run: Callable[..., list[bool]]
) -> None:
    answers = [answer(use_case, f"r{number}", n_rows=2) for number in range(50)]

    async def work() -> list[bool]:
        log = log_in(home / "s", use_case, sync)
        done = await asyncio.gather(*map(log.append, answers))
        assert log.problem == ""
        await log.close()
        return done

    assert run(work()) == [True] * 50
    assert ids_in(home / "s") == [i for a in answers for i in a.prediction_ids]


def test_an_answer_that_can_t_be_given_keeps_no_other_from_hearing(
    home: Path, use_case: UseCase, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> str:
        commit = GroupCommit(WriterOptions(str(home / "s"), ONE_SEGMENT, 10, True))
        schema = RecordSchema.of(use_case)
        commit.describe(schema.schema_hash, encode(schema))
        heard = asyncio.get_running_loop().create_future()

        def fail(problem: str) -> None:
            raise ValueError("its caller has left")

        commit.commit(entry(answer(use_case, "a")), fail)
        commit.commit(entry(answer(use_case, "b")), heard.set_result)
        problem: str = await heard
        await commit.close()
        return problem

    assert uvloop.run(work()) == ""
    assert "an answer was not given" in caplog.text
    assert ids_in(home / "s") == ["a-0", "b-0"]


def test_off_writes_nothing_and_says_so(home: Path, use_case: UseCase) -> None:
    async def work() -> bool:
        log = log_in(home / "s", use_case, "off")
        done = await log.append(answer(use_case, "r"))
        await log.close()
        return done

    assert uvloop.run(work()) is False
    assert not (home / "s").exists()


@contextmanager
def no_file_larger_than(n_bytes: int, process_id: int = 0) -> Iterator[None]:
    """The disk is full for one process: a write beyond the size fails, in part or whole."""
    before = resource.prlimit(process_id, resource.RLIMIT_FSIZE)
    resource.prlimit(process_id, resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process_id, resource.RLIMIT_FSIZE, before)


def writers(folder: Path) -> list[psutil.Process]:
    """Processes that write a spool of ours."""
    alive = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    return [process for process in alive if any(str(folder) in word for word in process.cmdline())]


def writer(folder: Path) -> psutil.Process:
    """The only one."""
    (found,) = writers(folder)
    return found


def test_policy_serve_counts_what_it_could_not_log_and_recovers(
    home: Path, use_case: UseCase
) -> None:
    async def work() -> list[bool]:
        log = log_in(home / "s", use_case)
        done = [await log.append(answer(use_case, "before"))]
        with no_file_larger_than(600, writer(home / "s").pid):
            done.append(await log.append(answer(use_case, "during", n_rows=9)))
            assert log.problem
        done.append(await log.append(answer(use_case, "after")))
        assert log.problem == ""
        await log.close()
        return done

    assert uvloop.run(work()) == [True, False, True]
    assert ids_in(home / "s") == ["before-0", "after-0"]
    (segment,) = closed_segments(home / "s")
    assert read_segment(segment, PREDICTIONS).unread == []


def test_a_removed_folder_is_noticed_told_and_made_anew(home: Path, use_case: UseCase) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case)
        assert await log.append(answer(use_case, "before", n_rows=3))
        shutil.rmtree(home / "s")
        assert not await log.append(answer(use_case, "noticed", n_rows=1))
        assert log.problem == "its folder was removed, with 3 rows or more that are in no table"
        assert await log.append(answer(use_case, "after", n_rows=1))
        assert (log.problem, log.lost[:22]) == ("", "its folder was removed")
        await log.close()

    asyncio.run(work())
    assert ids_in(home / "s") == ["after-0"]


def test_policy_reject_raises_and_recovers(home: Path, use_case: UseCase) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case, full="reject")
        await log.start()
        with (
            no_file_larger_than(10, writer(home / "s").pid),
            pytest.raises(LogFull, match="could not be logged"),
        ):
            await log.append(answer(use_case, "during"))
        assert await log.append(answer(use_case, "after"))
        await log.close()

    uvloop.run(work())
    assert ids_in(home / "s") == ["after-0"]


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

    uvloop.run(work())


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

    assert uvloop.run(work())
    assert "there-0" in ids_in(home / "s")


def test_a_fault_of_ours_is_a_problem_and_ends_nothing(home: Path, use_case: UseCase) -> None:
    async def work() -> list[bool]:
        log = log_in(home / "s", use_case)
        done = [await log.append(answer(use_case, "odd", schema_hash="never declared"))]
        assert log.problem == "a fault in its writer (KeyError)"
        done.append(await log.append(answer(use_case, "r")))
        await log.close()
        return done

    assert uvloop.run(work()) == [False, True]
    assert ids_in(home / "s") == ["r-0"]


def test_a_writer_that_dies_is_replaced_and_loses_nothing_that_was_told(
    home: Path, use_case: UseCase
) -> None:
    async def work() -> list[str]:
        log, told = log_in(home / "s", use_case), []
        enough = asyncio.Event()

        async def ask(client: int) -> None:
            for number in itertools.count():
                if enough.is_set():
                    return
                request = answer(use_case, f"{client}-{number}")
                if await log.append(request):
                    told.extend(request.prediction_ids)
                elif log.problem == GONE:
                    await asyncio.sleep(RESTART_S / 4)

        await log.start()
        asking = asyncio.gather(*map(ask, range(8)))
        for _ in range(2):
            await asyncio.sleep(RESTART_S * 1.1)
            writer(home / "s").kill()
            await asyncio.sleep(RESTART_S / 4)
        enough.set()
        await asking
        assert await log.append(answer(use_case, "last"))
        await log.close()
        return told

    told = uvloop.run(work())
    close_leftovers(home / "s")
    counts = Counter(ids_in(home / "s"))
    assert [i for i in told if counts[i] != 1] == []
    assert set(counts.values()) == {1}
    assert counts["last-0"] == 1


def test_a_writer_that_dies_at_once_is_not_started_over_and_over(
    home: Path, use_case: UseCase
) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case)
        await log.start()
        writer(home / "s").kill()
        await asyncio.sleep(0.1)
        began = time.monotonic()
        done = [await log.append(answer(use_case, f"r{number}")) for number in range(3)]
        assert (done, log.problem) == ([False] * 3, GONE)
        assert writers(home / "s") == []
        await asyncio.sleep(began + RESTART_S - time.monotonic())
        assert await log.append(answer(use_case, "later"))
        await log.close()

    uvloop.run(work())
    assert ids_in(home / "s") == ["later-0"]


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_a_writer_that_can_not_start_is_told_and_tried_again(
    home: Path, use_case: UseCase, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case)
        with monkeypatch.context() as broken:
            broken.setattr(sys, "executable", python)
            await log.start()
            for number in range(3):
                appending = asyncio.create_task(log.append(answer(use_case, f"r{number}")))
                await asyncio.sleep(0)
                time.sleep(0.02)  # the worker is busy while the writer dies
                assert await asyncio.wait_for(appending, 20) is False
                assert GONE in log.problem or "can't be started" in log.problem
                await asyncio.sleep(RESTART_S / 2)
        await asyncio.sleep(RESTART_S)
        assert await log.append(answer(use_case, "later"))
        await log.close()

    uvloop.run(work())
    assert ids_in(home / "s") == ["later-0"]


def test_a_writer_for_which_no_file_is_left_is_told_and_tried_again(
    home: Path, use_case: UseCase, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case)
        with none_left():
            await log.start()
            assert await log.append(answer(use_case, "now")) is False
        assert "can't be started ([Errno 24]" in caplog.text
        await asyncio.sleep(RESTART_S)
        assert await log.append(answer(use_case, "later"))
        await log.close()

    uvloop.run(work())
    assert ids_in(home / "s") == ["later-0"]


def test_all_are_told_when_the_writer_dies_after_a_large_group(
    home: Path, use_case: UseCase
) -> None:
    """Larger than a socket holds, and its outcome is not read yet when the writer dies."""

    async def work() -> None:
        log = log_in(home / "s", use_case)
        await log.start()
        large = asyncio.create_task(log.append(answer(use_case, "large", n_rows=20_000)))
        while not list((home / "s").glob("*.open")):
            await asyncio.sleep(0.001)
        small = asyncio.create_task(log.append(answer(use_case, "small")))
        await asyncio.sleep(0)
        time.sleep(0.3)
        writer(home / "s").kill()
        answers = await asyncio.wait_for(asyncio.gather(large, small), 20)
        assert list(answers) == [True, False]
        await log.close()

    uvloop.run(work())
    close_leftovers(home / "s")
    assert len(ids_in(home / "s")) == 20_000


def test_a_writer_ends_with_its_log_and_not_by_a_signal(home: Path, use_case: UseCase) -> None:
    async def work() -> None:
        log = log_in(home / "s", use_case)
        assert await log.append(answer(use_case, "before"))
        process = writer(home / "s")
        for number in (signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        assert await log.append(answer(use_case, "after"))
        assert writer(home / "s") == process
        await log.close()
        assert not process.is_running()

    uvloop.run(work())
    assert ids_in(home / "s") == ["before-0", "after-0"]


def test_a_log_that_is_closed_while_its_writer_starts_writes_what_waits(
    home: Path, use_case: UseCase
) -> None:
    async def work() -> bool:
        log = log_in(home / "s", use_case)
        waiting = asyncio.create_task(log.append(answer(use_case, "r")))
        await asyncio.sleep(0)
        await log.close()
        return await waiting

    assert uvloop.run(work())
    assert ids_in(home / "s") == ["r-0"]


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

    uvloop.run(work())
    assert ids_in(home / "s") == ["before-0"] * used
