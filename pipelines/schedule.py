"""Schedule: run the jobs of a use case when its cron expressions say so, one at a time.

Jobs are the commands that people use, as child processes. What became of them stands in a file for
each job, so after a scheduler that was killed the next one does again what was under way.
"""

import asyncio
import shlex
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from contract.errors import BadInput, Refused, Unavailable
from contract.settings import Settings, read_settings
from contract.use_case.loader import load_use_case, nearest
from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import Job
from pipelines.runtime import cli
from pipelines.runtime.child_process import ChildResult
from pipelines.scheduling.due import check
from pipelines.scheduling.health import as_json as health_json
from pipelines.scheduling.health import as_text, served
from pipelines.scheduling.jobs import JobContext, work
from pipelines.scheduling.manifests import kustomization, write
from pipelines.scheduling.overview.page import OVERVIEW
from pipelines.scheduling.overview.served import OverviewPages
from pipelines.scheduling.scheduler import Scheduler, catch_up, keep, say
from pipelines.scheduling.state_files import JobStates

T = TypeVar("T")
MAX_PORT = 65_535

OnceOption = Annotated[str, typer.Option(help="yes: run what is due now, then end.")]
JobOption = Annotated[str, typer.Option(help="Run this one job now, due or not, then end.")]
DryRunOption = Annotated[str, typer.Option(help="yes: only say what would run, and when.")]
PortOption = Annotated[
    str, typer.Option(help="Port that shows health; empty: FOURCYCLE_SCHEDULE_PORT or 8081.")
]
KubernetesOption = Annotated[
    str,
    typer.Option(help="Only write the folder of the use case into this overlay of kustomize."),
]


def plan(scheduler: Scheduler) -> str:
    """When each job runs, and the commands of those that are due."""
    lines = [as_text(scheduler.look())]
    for job in scheduler.due():
        tasks = work(job, scheduler.context, scheduler.states[job].marks, datetime.now(UTC)).tasks
        lines.append(f"{job} is due" + (":" if tasks else ", and finds nothing to do"))
        lines += [f"  {shlex.join(('python', *task.command[1:]))}" for task in tasks]
    return "\n".join(lines)


def conclude(trouble: list[ChildResult]) -> None:
    """Raise what the exit code must say of jobs that did not do their work."""
    lines = "; ".join(ended.line for ended in trouble)
    if trouble and all(ended.away or not ended.failed for ended in trouble):
        raise Unavailable(lines)
    if trouble:
        raise Refused(lines)


async def _until_stopped(scheduler: Scheduler, doing: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, scheduler.stop.set)
    return await doing


def _jobs(asked: str, use_case: UseCase) -> list[Job]:
    jobs = list(use_case.jobs)
    if not jobs:
        raise BadInput(f"{use_case.name!r} declares no schedule; docs/schedule.md shows one.")
    if asked and asked not in jobs:
        raise BadInput(f"job: {use_case.name!r} declares no {asked!r}; {nearest(asked, [*jobs])}")
    return [job for job in jobs if asked in ("", job)]


def _write_manifests(use_case: UseCase, called: str, overlay: str) -> None:
    if not (Path(overlay) / "kustomization.yaml").is_file():
        raise BadInput(
            f"kubernetes: {overlay!r} holds no kustomization.yaml; an overlay is needed, such as "
            "docker/kubernetes/overlays/prod."
        )
    folder = write(kustomization(use_case, called, overlay), Path(overlay), use_case.name)
    say(use_case.name, f"{folder} is written; name it in bases of {overlay}/kustomization.yaml")


def _port(asked: str, settings: Settings) -> int:
    if not asked:
        return settings.schedule_port
    if not asked.isdecimal() or int(asked) > MAX_PORT:
        raise BadInput(f"port: a number up to {MAX_PORT} is needed, found {asked!r}.")
    return int(asked)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    once: OnceOption = "",
    job: JobOption = "",
    dry_run: DryRunOption = "",
    port: PortOption = "",
    kubernetes: KubernetesOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Schedule: run the jobs that the use case declares at their times, until told to stop."""
    declared, settings = load_use_case(use_case), read_settings(root)
    check(declared)
    if kubernetes:
        _write_manifests(declared, use_case, kubernetes)
        return
    jobs, listen = _jobs(job, declared), _port(port, settings)
    context, store = JobContext(use_case, declared, settings), JobStates.of(settings, declared.name)
    if cli.flag(dry_run):
        scheduler = Scheduler.open(context, store, jobs)
        typer.echo(health_json(scheduler.look()) if cli.flag(as_json) else plan(scheduler))
        return
    with store.held(jobs):
        scheduler = Scheduler.open(context, store, jobs)
        if not job and not cli.flag(once):
            pages = OverviewPages(root)
            with served(scheduler.look, settings.schedule_host, listen, pages.page) as address:
                say(declared.name, f"{', '.join(jobs)} scheduled; how they are: {address}")
                say(declared.name, f"how all use cases stand: {address}/{OVERVIEW}")
                asyncio.run(_until_stopped(scheduler, keep(scheduler)))
            return
        due = jobs if job else scheduler.due()
        if not due:
            say(declared.name, "nothing is due")
        trouble = asyncio.run(_until_stopped(scheduler, catch_up(scheduler, due)))
        if cli.flag(as_json):
            typer.echo(health_json(scheduler.look()))
        conclude(trouble)


if __name__ == "__main__":
    cli.run(main)
