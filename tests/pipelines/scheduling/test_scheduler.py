"""A scheduler in this process, whose jobs find nothing to do or can't look: no child is started."""

import asyncio
import json
from pathlib import Path

import pytest

from contract.settings import read_settings
from contract.use_case.sections.schedule import Job
from pipelines.scheduling.due import JobState
from pipelines.scheduling.jobs import JobContext
from pipelines.scheduling.scheduler import Scheduler, catch_up
from pipelines.scheduling.state_files import JobStates
from tests.support.receiver import Receiver, listening
from tests.support.scheduled import WATCHED, declare

JOBS: list[Job] = ["feedback", "monitor"]


def opened(home: Path, root: str = "") -> Scheduler:
    use_case = declare(home, **WATCHED, attempts=2, retry_s=0.01)
    settings = read_settings(root)
    store = JobStates.of(read_settings(), "made")
    return Scheduler.open(JobContext("made.yaml", use_case, settings), store, JOBS)


def test_who_is_told_to_stop_begins_no_further_job(home: Path) -> None:
    scheduler = opened(home)
    scheduler.stop.set()
    assert asyncio.run(catch_up(scheduler, JOBS)) == []
    assert scheduler.states["feedback"].done
    assert scheduler.states["monitor"] == JobState()


def test_who_is_told_to_stop_tries_nothing_again(home: Path) -> None:
    scheduler = opened(home, "s3://bucket/data")  # where no labels can land beside the tables
    scheduler.stop.set()
    (ended,) = asyncio.run(catch_up(scheduler, JOBS))
    assert "schedule.labels: an absolute path is needed" in ended.line
    assert scheduler.states["feedback"].failures == 1


def test_people_hear_when_no_job_fails_any_more(
    home: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(Receiver()) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", receiver.url)
        for root in ("s3://bucket/data", ""):
            asyncio.run(catch_up(opened(home, root), ["feedback"]))
    told = [json.loads(one.body)["text"].partition(".")[0] for one in receiver.got]
    assert told == ["made: JOB_FAILED", "made: JOBS_WELL"]
