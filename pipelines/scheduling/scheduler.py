"""Run the jobs of a use case when they are due, one at a time, and keep what became of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contract.errors import Unavailable
from contract.use_case.sections.schedule import Job
from monitoring.alerts.notices.job_failed import failed, well
from pipelines.runtime.child_process import ChildResult, end_orphan, run_child
from pipelines.runtime.console import console
from pipelines.runtime.process_identity import is_gone
from pipelines.scheduling.due import JobState, deadline_s, next_try, pause
from pipelines.scheduling.health import Health, health
from pipelines.scheduling.jobs import JobContext, JobTask, JobWork, work
from pipelines.scheduling.state_files import JobStates

LONGEST_SLEEP_S = 30.0  # the clock of a host may be set, or stand still while it sleeps


@dataclass
class Scheduler:
    """The jobs of one use case, and what is known of them."""

    context: JobContext
    store: JobStates
    started: datetime
    states: dict[Job, JobState]
    stop: asyncio.Event

    @classmethod
    def open(cls, context: JobContext, store: JobStates, jobs: Sequence[Job]) -> "Scheduler":
        """With what is known of the jobs so far."""
        states = {job: as_found(store.read(job)) for job in jobs}
        return cls(context, store, datetime.now(UTC), states, asyncio.Event())

    def put(self, job: Job, state: JobState) -> None:
        """Know this of a job, durably."""
        self.store.write(job, state)
        self.states[job] = state

    def look(self) -> Health:
        """How the jobs are now."""
        return health(self.context.use_case, dict(self.states), self.started, datetime.now(UTC))

    def times(self) -> dict[Job, datetime]:
        """When each job runs next; what has passed is due."""
        declared, now = self.context.use_case, datetime.now(UTC)
        return {
            job: next_try(declared, job, state, self.started, now)
            for job, state in self.states.items()
        }

    def due(self) -> list[Job]:
        """The jobs that are due."""
        now = datetime.now(UTC)
        return [job for job, at in self.times().items() if at <= now]

    async def sleep(self, seconds: float) -> None:
        """Wait, but not when told to stop."""
        waiting = asyncio.create_task(self.stop.wait())
        await asyncio.wait([waiting], timeout=seconds)
        waiting.cancel()


def as_found(state: JobState) -> JobState:
    """A job whose process is gone is not running, whatever a scheduler that was killed left."""
    return state if state.child and not is_gone(state.child) else replace(state, since=None)


async def keep(scheduler: Scheduler) -> None:
    """Run jobs as they become due, until told to stop."""
    while not scheduler.stop.is_set():
        times = scheduler.times()
        job = min(times, key=lambda name: times[name])  # of equals the first
        wait_s = (times[job] - datetime.now(UTC)).total_seconds()
        if wait_s <= 0:
            await run_job(scheduler, job)
        else:
            await scheduler.sleep(min(wait_s, LONGEST_SLEEP_S))


async def catch_up(scheduler: Scheduler, jobs: list[Job]) -> list[ChildResult]:
    """Run each of these jobs until it did its work or has failed too often; those that did not."""
    trouble = []
    for job in jobs:
        ended = await _tried(scheduler, job)
        trouble += [ended] if ended.trouble else []
        if scheduler.stop.is_set():
            break
    return trouble


async def _tried(scheduler: Scheduler, job: Job) -> ChildResult:
    schedule = scheduler.context.use_case.schedule
    for attempt in range(1, schedule.attempts + 1):
        ended = await run_job(scheduler, job)
        failures = scheduler.states[job].failures
        if not ended.trouble or max(attempt, failures) >= schedule.attempts:
            break
        await scheduler.sleep(pause(schedule, failures).total_seconds())
        if scheduler.stop.is_set():
            break
    return ended


async def run_job(scheduler: Scheduler, job: Job) -> ChildResult:
    """All that a job has to do now; what was done of it is not done again."""
    if scheduler.states[job].child and end_orphan(scheduler.states[job].child):
        say(job, "a process that an earlier scheduler left behind was stopped")
    began = datetime.now(UTC)
    scheduler.put(job, replace(scheduler.states[job], since=began, child=""))
    try:
        todo = work(job, scheduler.context, scheduler.states[job].marks, began)
    except Exception as error:  # of a file or store that is away a query raises nothing narrower
        away = isinstance(error, OSError | Unavailable)
        message = str(error).partition("\n")[0]
        todo = JobWork(())
        ended = ChildResult("could not look", last_line=message, failed=True, away=away)
    else:
        ended = await _run_tasks(scheduler, job, todo)
    state = replace(scheduler.states[job], since=None, child="")
    if not ended.stopped:
        state = replace(state, tried=datetime.now(UTC), trouble=ended.trouble)
    if ended.failed:
        state = replace(state, failures=state.failures + 1)
    elif not ended.trouble:
        state = replace(state, done=began, failures=0, marks=todo.marks, notice=ended.notice)
    before = scheduler.states[job].failures
    scheduler.put(job, state)
    say(job, ended.line or f"done, commands run: {len(todo.tasks)}")
    await _tell(scheduler, job, before)
    return ended


async def _tell(scheduler: Scheduler, job: Job, before: int) -> None:
    """People hear of a job that failed at each attempt, and when no such job is left.

    `before` is how often it had failed before this run.
    """
    use_case, now = scheduler.context.use_case, scheduler.states[job]
    attempts = use_case.schedule.attempts
    if now.failures >= attempts:
        notice = failed(job, now.failures, now.trouble)
    elif before >= attempts > max(scheduler.store.read(j).failures for j in use_case.jobs):
        notice = well()
    else:
        return
    from monitoring.alerts.announce import tell  # MLflow takes seconds, and memory for good

    def note(line: str) -> None:
        say(job, line)

    settings = scheduler.context.settings
    await asyncio.to_thread(tell, use_case, settings, note, notices=[notice])


async def _run_tasks(scheduler: Scheduler, job: Job, todo: JobWork) -> ChildResult:
    """Every task, in order. One that fails does not keep the others from being done.

    A system that is away, or another process at the same work, would meet all of them.
    """
    worst = ChildResult()
    for task in todo.tasks:
        ended = await _run_task(scheduler, job, task, todo.marks.get(task.key, ""))
        if ended.line and (ended.stopped or not worst.failed):
            about = f"{task.key}: " if task.key else ""
            worst = replace(ended, trouble=ended.trouble and about + ended.trouble)
        if ended.trouble and (ended.away or not ended.failed):
            break
    return worst


async def _run_task(scheduler: Scheduler, job: Job, task: JobTask, mark: str) -> ChildResult:
    def at_work(identity: str) -> None:
        scheduler.put(job, replace(scheduler.states[job], child=identity))

    longest_s = deadline_s(job, scheduler.context.use_case)
    log = scheduler.store.log(job)
    ended = await run_child(task.command, log, longest_s, scheduler.stop, at_work)
    state = replace(scheduler.states[job], child="")
    if task.key and not ended.trouble:
        state = replace(state, marks={**state.marks, task.key: mark})
    scheduler.put(job, state)
    return ended


def say(about: str, what: str) -> None:
    """One line for people, with its time."""
    at = datetime.now(UTC).isoformat(" ", "seconds")
    console().print(f"{at} {about}: {what}", markup=False, soft_wrap=True)
