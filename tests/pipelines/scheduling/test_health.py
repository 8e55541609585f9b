"""How the scheduler is, with the clock as an argument."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from contract.errors import BadInput
from contract.use_case.sections.schedule import Job, Schedule
from pipelines.scheduling.due import JobState
from pipelines.scheduling.health import Health, as_metrics, as_text, health, served
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
    text = as_text(found)
    assert ("NOT WELL" in text, (state.trouble or state.notice) in text) == (not well, True)


def test_a_job_that_waits_for_another_one_is_not_late() -> None:
    schedule = Schedule(maintain="0 4 * * *", retrain="0 4 * * *")
    use_case = made_use_case(Path(), {"schedule": schedule})
    waits, works = JobState(done=DONE, tried=DONE), JobState(done=DONE, since=NOON)
    assert health(use_case, {"maintain": waits, "retrain": works}, NOON, NOON).well
    assert not health(use_case, {"maintain": waits, "retrain": waits}, NOON, NOON).well


def test_people_read_when_a_job_ran_and_when_it_runs_next() -> None:
    schedule = Schedule(maintain="0 4 * * *", retrain="0 5 * * *", monitor="0 6 * * *")
    use_case = made_use_case(Path(), {"schedule": schedule})
    failed = JobState(tried=NOON, trouble="why", failures=1)
    states: dict[Job, JobState] = {
        "maintain": JobState(),
        "retrain": JobState(done=NOON, tried=NOON),
        "monitor": failed,
    }
    _, _, *lines = as_text(health(use_case, states, NOON, NOON)).splitlines()
    assert [line.strip() for line in lines] == [
        "maintain  has not run yet, next: now (0 4 * * *)",
        "retrain   done, last complete run: 2026-01-05T12:00:00+00:00, "
        "next: 2026-01-06T05:00:00+00:00 (0 5 * * *)",
        "monitor   failed, no complete run yet, next: 2026-01-05T12:01:00+00:00 (0 6 * * *)",
        "why",
    ]


def test_prometheus_reads_a_gauge_of_each_job_under_its_labels() -> None:
    schedule = Schedule(maintain="0 4 * * *", retrain="0 4 * * *", attempts=2)
    use_case = made_use_case(Path(), {"schedule": schedule})
    states: dict[Job, JobState] = {
        "maintain": JobState(done=DONE, tried=NOON, trouble="why", failures=2),
        "retrain": JobState(),
    }
    text = as_metrics(health(use_case, states, NOON, NOON)).decode()
    samples = {
        (s.name, s.labels["job"]): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
        if s.labels["use_case"] == "made"
    }
    assert samples == {
        ("fourcycle_job_well", "maintain"): 0,
        ("fourcycle_job_well", "retrain"): 1,
        ("fourcycle_job_failures", "maintain"): 2,
        ("fourcycle_job_failures", "retrain"): 0,
        ("fourcycle_job_age_seconds", "maintain"): 12 * 3600,
    }


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    def look() -> Health:
        return Health("made", "UTC", True, {})

    with (
        served(look, "127.0.0.1", 0, lambda _: None) as address,
        pytest.raises(BadInput, match=rf"{address} can't be served .*--port names another"),
        served(look, "127.0.0.1", int(address.rpartition(":")[2]), lambda _: None),
    ):
        pass
