"""When jobs are due: tables of cases, with the clock as an argument."""

from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
import typer

from contract.errors import BadInput
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import Job, Schedule
from pipelines.scheduling.due import (
    JobState,
    WindowContent,
    check,
    counted_windows,
    deadline_s,
    due_windows,
    ended_windows,
    first_due,
    next_try,
    title,
)
from pipelines.scheduling.jobs import MODULES
from tests.conftest import made_use_case

NEW_YORK = ZoneInfo("America/New_York")
START = datetime(2026, 1, 1, tzinfo=UTC)


def scheduled(cron: str = "15 2 * * *", zone: str = "America/New_York", **keys: Any) -> UseCase:
    every = keys.pop("every", "day")
    declared = made_use_case(Path())
    monitoring = declared.monitoring.model_copy(update={"every": every})
    return declared.model_copy(
        update={
            "schedule": Schedule(monitor=cron, **keys),
            "time_zone": zone,
            "monitoring": monitoring,
        }
    )


def local(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


def days(*starts: str) -> list[tuple[date, date]]:
    found = [date.fromisoformat(start) for start in starts]
    return [(day, day + timedelta(days=1)) for day in found]


TICKS = [
    ("15 2 * * *", local(2026, 1, 5, 2, 15), local(2026, 1, 6, 2, 15)),
    # The clock goes from two to three: half past two comes once, at three.
    ("30 2 * * *", local(2026, 3, 7, 12), datetime(2026, 3, 8, 7, tzinfo=UTC)),
    # It goes from two back to one: half past one comes once, the first time.
    ("30 1 * * *", local(2026, 10, 31, 12), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    (
        "30 1 * * *",
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 2, 6, 30, tzinfo=UTC),
    ),
    # What runs every half hour runs in both hours.
    (
        "*/30 * * * *",
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
    ),
]


@pytest.mark.parametrize(("cron", "done", "due"), TICKS)
def test_a_job_is_due_at_the_tick_after_its_last_good_run(
    cron: str, done: datetime, due: datetime
) -> None:
    later = done + timedelta(days=400)  # many ticks were missed: it is due once, since the first
    assert first_due(scheduled(cron), "monitor", JobState(done=done), START, later) == due


def test_a_job_that_never_ran_is_due_since_the_scheduler_started() -> None:
    assert first_due(scheduled(), "monitor", JobState(), START, START) == START


def test_a_clock_that_was_set_back_puts_nothing_off() -> None:
    state, now = JobState(done=local(2027, 1, 1)), local(2026, 1, 5, 12)
    assert first_due(scheduled(), "monitor", state, START, now) == local(2026, 1, 6, 2, 15)


RETRIES = [  # failures, seconds from the failure to the next try; the tick is 1800 seconds away
    (0, 60),  # another process was at work
    (1, 60),
    (2, 120),
    (3, 240),
    (4, 1800),  # too often: only at ticks
    (9, 1800),
]


@pytest.mark.parametrize(("failures", "pause_s"), RETRIES)
def test_a_job_that_failed_is_tried_again_later_and_later(failures: int, pause_s: int) -> None:
    use_case = scheduled("*/30 * * * *", attempts=4, retry_s=60)
    failed = local(2026, 1, 5, 12)
    state = JobState(done=local(2026, 1, 5, 11), tried=failed, failures=failures, trouble="why")
    found = next_try(use_case, "monitor", state, START, failed)
    assert found == failed + timedelta(seconds=pause_s)


def test_no_pause_is_longer_than_to_the_next_tick() -> None:
    use_case = scheduled("* * * * *", attempts=4, retry_s=1000)
    state = JobState(tried=local(2026, 1, 5, 12), failures=1, trouble="why")
    found = next_try(use_case, "monitor", state, START, local(2026, 1, 5, 12))
    assert found == local(2026, 1, 5, 12, 1)


WINDOWS = [  # every, now, newest event, first and last window
    ("day", local(2026, 1, 5, 0, 30), None, "2026-01-02 to 2026-01-03", "2026-01-04 to 2026-01-05"),
    ("week", local(2026, 1, 6), None, "2025-12-15 to 2025-12-22", "2025-12-29 to 2026-01-05"),
    ("month", local(2026, 3, 8, 3), None, "2025-12-01 to 2026-01-01", "2026-02-01 to 2026-03-01"),
    # Not yet midnight in New York, when it is the next day in UTC.
    (
        "day",
        datetime(2026, 1, 5, 4, tzinfo=UTC),
        None,
        "2026-01-01 to 2026-01-02",
        "2026-01-03 to 2026-01-04",
    ),
    # The newest event lies among them, or further back: then traffic is of another time.
    (
        "day",
        local(2026, 1, 5),
        local(2026, 1, 2, 1),
        "2026-01-02 to 2026-01-03",
        "2026-01-04 to 2026-01-05",
    ),
    (
        "day",
        local(2026, 1, 5),
        local(2026, 1, 3, 1),
        "2026-01-02 to 2026-01-03",
        "2026-01-04 to 2026-01-05",
    ),
    (
        "month",
        local(2026, 1, 5),
        local(2013, 7, 31, 23),
        "2013-05-01 to 2013-06-01",
        "2013-07-01 to 2013-08-01",
    ),
]


@pytest.mark.parametrize(("every", "now", "newest", "first", "last"), WINDOWS)
def test_windows_that_have_ended_are_looked_at(
    every: str, now: datetime, newest: datetime | None, first: str, last: str
) -> None:
    found = ended_windows(now, newest, scheduled(every=every, look_back=3))
    assert (len(found), title(found[0]), title(found[-1])) == (3, first, last)


@pytest.mark.parametrize(("every", "days_back"), [("day", 60), ("week", 133), ("month", 330)])
def test_windows_are_looked_at_for_longer_than_labels_are_late(every: str, days_back: int) -> None:
    found = ended_windows(local(2026, 6, 1), None, scheduled(every=every))
    assert found[-1][1] - found[0][0] >= timedelta(days=days_back)


def test_what_trains_may_take_as_long_as_a_retraining_holds_its_lease() -> None:
    use_case = scheduled(deadline_s=60)
    assert deadline_s("monitor", use_case) == 60
    assert deadline_s("retrain", use_case) == deadline_s("pipeline", use_case) == 6 * 3600


ENDED = days("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
NO, SOME, LABELLED = WindowContent(), WindowContent(9), WindowContent(9, 4, 4)
CORRECTED, FORGOTTEN = WindowContent(9, 4, 5), WindowContent(8, 3, 3)
CONTENTS = [  # what each window holds, what was reported, which are due
    ([NO] * 4, [None] * 4, []),  # nobody has asked yet
    ([NO, SOME, NO, SOME], [None] * 4, [1, 2, 3]),  # silence between is news
    ([SOME] * 4, [SOME, SOME, None, None], [2, 3]),  # missed ones are caught up
    ([SOME, LABELLED, SOME, NO], [SOME, LABELLED, SOME, NO], []),
    ([SOME, LABELLED, SOME, SOME], [SOME] * 4, [1]),  # late labels
    ([SOME, SOME, CORRECTED, SOME], [SOME, SOME, LABELLED, SOME], [2]),
    ([SOME, WindowContent(10), SOME, SOME], [SOME] * 4, [1]),  # late answers
    ([FORGOTTEN, NO, SOME, SOME], [LABELLED, SOME, SOME, SOME], []),  # and expired ones
    ([NO] * 4, [NO, None, None, None], [1, 2, 3]),  # silence goes on
]


@pytest.mark.parametrize(("found", "reported", "due"), CONTENTS)
def test_windows_are_due_that_hold_more_than_their_report_says(
    found: list[WindowContent], reported: list[WindowContent | None], due: list[int]
) -> None:
    titles = [title(window) for window in ENDED]
    known = {t: one.mark for t, one in zip(titles, reported, strict=True) if one is not None}
    holds = dict(zip(titles, found, strict=True))
    windows = due_windows(counted_windows(ENDED, holds, known), holds, known)
    assert windows == [ENDED[place] for place in due]


def test_every_job_is_a_command_that_takes_the_scheduler_s_options() -> None:
    asked = {"monitor": ["from", "until"], "feedback": ["source"]}
    assert set(MODULES) == set(get_args(Job))
    for job, module in MODULES.items():
        main = import_module("monitoring.__main__" if module == "monitoring" else module).main
        app = typer.Typer(add_completion=False)
        app.command()(main)
        there = {o for p in typer.main.get_command(app).params for o in p.opts}
        needed = {f"--{o}" for o in ["use-case", "root", "json", *asked.get(job, [])]}
        assert needed <= there, job


@pytest.mark.parametrize("cron", ["61 * * * *", "0 0 31 2 *", "0 0 * * XYZ"])
def test_an_expression_that_no_clock_meets_is_named(cron: str) -> None:
    with pytest.raises(BadInput, match=r"schedule\.monitor of 'made': .* e\.g\. '15 2"):
        check(scheduled(cron))


@pytest.mark.parametrize("name", ["flights", "arrival-delay"])
def test_shipped_schedules_are_right(name: str) -> None:
    use_case = load_use_case(name)
    check(use_case)
    assert set(use_case.jobs) == {"feedback", "monitor", "retrain", "maintain"}


def test_a_window_that_nothing_is_told_of_is_empty() -> None:
    assert WindowContent().mark == "0 rows, 0 labels, 0 revisions"
    assert WindowContent.read("7 rows, 2 labels, 3 revisions") == WindowContent(7, 2, 3)
