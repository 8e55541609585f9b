"""Whatever happens to processes for large bodies, callers get whole answers and rows are kept."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipelines.main import Outcome
from tests.faults.test_following import mixed
from tests.support.rounds import rounds
from tests.support.service import Load, Service, load, running, until
from tests.support.shop import ANSWERS, BODY, Case
from tests.support.traffic import BODY as PENGUINS
from tests.support.traffic import assert_exactly_once, service

PROCESS = "serving.endpoints.large_bodies"
ALL = {"serve_large_bytes": "200"}  # so that bodies of a few rows go there
LARGE = {"rows": PENGUINS["rows"] * 50}


@contextmanager
def both_sizes(address: str) -> Iterator[tuple[Load, Load]]:
    """Clients of one row, and of bodies that go to the processes."""
    small = {"rows": PENGUINS["rows"][:1]}
    with load(address, LARGE, pause_s=0) as large, load(address, small, pause_s=0) as one_row:
        until(lambda: len(large.asked) > 5)
        yield large, one_row


def test_processes_killed_under_load(trained: tuple[Path, Outcome], home: Path) -> None:
    chance = random.Random(0)
    with service(trained[0], home, **ALL) as running:
        with both_sizes(running.address) as (large, one_row):
            for _ in range(rounds(3, 50)):
                time.sleep(chance.uniform(0.2, 1.0))
                until(running.parts, PROCESS)
                chance.choice(running.parts(PROCESS)).kill()
            answered = len(large.told)
            until(lambda: len(large.told) > answered)
        running.stop()
    assert one_row.failed == large_failures(large) == []
    assert large.statuses[503]  # the kills were felt
    assert large.not_logged == one_row.not_logged == []
    assert_exactly_once(large.told + one_row.told, running.tables)


def large_failures(large: Load) -> list[object]:
    """What is neither an answer nor the whole document that says why there is none."""
    return [
        asked
        for asked in large.failed
        if (asked.status, asked.body.get("reason")) != (503, "interrupted")
    ]


def test_sigterm_under_load_answers_large_bodies_and_ships_them(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    with (
        service(trained[0], home, **ALL) as running,
        both_sizes(running.address) as (large, one_row),
    ):
        time.sleep(1)
        running.stop()
    assert large.statuses.keys() | one_row.statuses.keys() <= {200, 503}
    assert_exactly_once(large.told + one_row.told, running.tables)
    assert [path for path in running.spool.iterdir() if path.suffix in (".open", ".segment")] == []


def test_a_killed_worker_takes_its_processes_with_it(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    with service(trained[0], home, **ALL) as running:
        with both_sizes(running.address) as (large, one_row):
            for _ in range(rounds(1, 20)):
                left = until_parts(running, PROCESS)
                (worker,) = until_parts(running, "serving.worker")
                worker.kill()
                worker.wait(10)
                _, alive = psutil.wait_procs(left, 60)
                assert alive == []
                answered = len(large.told)
                until(lambda seen=answered: len(large.told) > seen)
        running.stop()
    assert_exactly_once(large.told + one_row.told, running.tables)


def until_parts(service: Service, module: str) -> list[psutil.Process]:
    until(service.parts, module)
    return service.parts(module)


def test_promotions_under_load_mix_no_answer_of_large_bodies(case: Case) -> None:
    answers = {case.promote(0): ANSWERS[0]}
    case.warm()
    settings = ALL | {"serve_large_bytes": "0", "log_segment_s": "0.5", "ship_every_s": "0.5"}
    with running(case.use_case, case.shop.uri, case.folder, **settings) as service:
        until(service.ready)
        with load(service.address, BODY) as asking:
            for which in range(1, rounds(few=3, full=40) + 1):
                version = case.promote(which)
                answers[version] = ANSWERS[which % 2]
                until(lambda named=version: asking.asked and asking.asked[-1].version == named)
        assert asking.failed == []
        assert mixed(asking.asked, answers) == []
        assert {one.version for one in asking.asked} == set(answers)
        assert service.parts(PROCESS)
        service.stop()
    assert_exactly_once(asking.told, service.tables)
