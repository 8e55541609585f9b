"""How the scheduler is, with the clock as an argument."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.use_case import Schedule
from pipelines.due import JobState
from pipelines.health import as_text, health
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
    assert ("NOT WELL" in said, state.trouble in said) == (not well, True)
