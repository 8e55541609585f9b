"""How the scheduler is, with the clock as an argument."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.use_case.model import Schedule
from pipelines.scheduling.due import JobState
from pipelines.scheduling.health import as_text, health
from tests.conftest import made_use_case

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DONE = NOON - timedelta(hours=12)  # it is due at four in the morning, eight hours before noon
STATES = [  # state, deadline in hours, outcome, well
    (JobState(), 1, "never ran", True),
    (JobState(done=NOON, tried=NOON), 1, "done", True),
    (JobState(done=DONE, tried=DONE), 9, "done", True),
    (JobState(done=DONE, tried=DONE), 7, "done", False),  # overdue
    (JobState(done=DONE, since=NOON, child="host:1:2.00"), 7, "running", True),
    (JobState(done=NOON, tried=NOON, trouble="why", failures=1), 9, "failed", True),
    (JobState(done=NOON, tried=NOON, trouble="why", failures=2), 9, "failed", False),
    (JobState(done=NOON, tried=NOON, trouble="another"), 9, "waiting", True),
    (JobState(done=NOON, tried=NOON, notice="look"), 9, "done", True),
]


@pytest.mark.parametrize(("state", "deadline_h", "outcome", "well"), STATES)
def test_a_job_is_well_unless_it_is_late_or_failed_too_often(
    state: JobState, deadline_h: float, outcome: str, well: bool
) -> None:
    schedule = Schedule(maintain="0 4 * * *", attempts=2, deadline_s=deadline_h * 3600)
    use_case = made_use_case(Path(), {"schedule": schedule})
    found = health(use_case, {"maintain": state}, NOON, NOON)
    assert (found.jobs["maintain"].outcome, found.well) == (outcome, well)
    said = as_text(found)
    assert ("NOT WELL" in said, (state.trouble or state.notice) in said) == (not well, True)


def test_a_job_that_waits_for_another_one_is_not_late() -> None:
    schedule = Schedule(maintain="0 4 * * *", retrain="0 4 * * *")
    use_case = made_use_case(Path(), {"schedule": schedule})
    waits, works = JobState(done=DONE, tried=DONE), JobState(done=DONE, since=NOON)
    assert health(use_case, {"maintain": waits, "retrain": works}, NOON, NOON).well
    assert not health(use_case, {"maintain": waits, "retrain": waits}, NOON, NOON).well
