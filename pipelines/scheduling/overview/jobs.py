"""How the declared jobs of a use case stand, as this host's scheduler left them."""

from datetime import datetime

from contract.settings import Settings
from contract.store.locks import lock_folder
from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import Job
from pipelines.scheduling.due import JobState, check
from pipelines.scheduling.health import JobHealth, health
from pipelines.scheduling.overview.standing import JobStanding
from pipelines.scheduling.scheduler import as_found
from pipelines.scheduling.state_files import JobStates


def job_standings(
    settings: Settings, declared: UseCase | None, now: datetime
) -> tuple[JobStanding, ...]:
    """Each of them; none where nothing could be read or nothing is declared."""
    if declared is None or not declared.jobs:
        return ()
    check(declared)
    states: dict[Job, JobState] = dict.fromkeys(declared.jobs, JobState())
    folder = lock_folder(settings) / f"{declared.name}.schedule"
    if folder.is_dir():  # a look makes no folder
        states = {job: as_found(JobStates(folder).read(job)) for job in states}
    found = health(declared, states, now, now)
    return tuple(_job(job, shown, states[job]) for job, shown in found.jobs.items())


def _job(job: Job, shown: JobHealth, state: JobState) -> JobStanding:
    known_here = state.done is not None or state.tried is not None
    following = "now" if shown.due else shown.next_due.replace("T", " ")[:16]
    return JobStanding(
        name=job,
        next_due=following if known_here else "",
        last=shown.done.replace("T", " ")[:16],
        failures=shown.failures,
        trouble=shown.trouble,
        well=shown.well,
    )
