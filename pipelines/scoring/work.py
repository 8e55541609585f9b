"""The work of a job: read, check, answer, log, publish. Killed anywhere, it begins again; what was
committed by then is not done twice.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from contract.errors import Busy, Refused
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.predictions import PARTITION
from contract.store.tables import Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.runtime.console import console
from pipelines.scoring.answers import answer_schema, logged_schema
from pipelines.scoring.checked import BAD_SCHEMA, BadRow, bad_table
from pipelines.scoring.day_files import append_days
from pipelines.scoring.engines import local
from pipelines.scoring.engines.engine import Crew, Engine, Work
from pipelines.scoring.job import TargetState, TargetStates
from pipelines.scoring.rows import OpenedRows
from pipelines.scoring.stage import Stage, commit_once, staged, writer_of
from pipelines.scoring.staging import beside, sweep, swept
from pipelines.scoring.targets import AnswerTarget, Writing
from pipelines.scoring.through import MILLISECONDS, Asked, Counted, Sinks
from serving.scoring.version import ServedVersion


@dataclass(frozen=True)
class BatchJob:
    """What is to be answered, by which version, and where the answers go."""

    id: str
    served: ServedVersion
    source: OpenedRows
    target: AnswerTarget
    tables: Tables
    hidden: Pseudonymiser | None  # what the log must not hold; None: the answers are not logged
    set_apart: bool = False
    threads: int = 1
    engine: Engine = local.engine
    package: Path | None = None  # the folder of the version, for engines that work elsewhere
    code: Path | None = None  # the folder of the user's own classes


@dataclass(frozen=True)
class Finished:
    """What became of a job."""

    state: TargetState
    logged: int  # rows that came into `predictions` now
    again: bool  # the same job had been done before: nothing changed


def finish(job: BatchJob, states: TargetStates) -> Finished:
    """Do what is missing of a job. Refused names a row that does not fit; then nothing appears."""
    with states.held(job.target.address):
        before = states.read()
        if before.job:
            sweep(beside(job.target.address, before.job, before.started_ms))
        known = before if before.job == job.id else TargetState()
        in_log = _logged_ms(job)
        in_target = job.target.started_ms(job.id, known)
        if in_target and (in_log or job.hidden is None):
            return Finished(known, 0, again=True)
        started_ms = in_log or in_target or known.started_ms or int(time.time() * MILLISECONDS)
        states.write(TargetState(job.id, started_ms, version=job.served.version))
        return _answer(job, states, started_ms, bool(in_log), bool(in_target))


def _answer(
    job: BatchJob, states: TargetStates, started_ms: int, in_log: bool, in_target: bool
) -> Finished:
    scratch, case = states.file.parent, job.served.use_case
    schema = answer_schema(case, job.served.scorer.classes)
    staging = beside(job.target.address, job.id, started_ms)
    with ExitStack() as stack:
        crew = stack.enter_context(job.engine())
        stack.enter_context(swept(staging))
        writing = None
        if not in_target:
            writing = stack.enter_context(job.target.writing(job.id, started_ms, schema, scratch))
        stage = None
        if job.hidden is not None and not in_log:
            stage = stack.enter_context(staged(scratch, logged_schema(case)))
        asked = Asked(job.id, started_ms, job.hidden, job.set_apart)
        work = Work(asked, job.source, job.served, job.package, job.code, staging, job.threads)
        with _shown(job.source.rows) as progress:
            counted = crew.answer(work, Sinks(writing, stage), progress)
        _check_share(job, counted)
        if stage is not None:
            _log(job, started_ms, stage, crew)
        if writing is not None:
            _publish(job, started_ms, counted.bad, writing, scratch)
    state = TargetState(
        job.id,
        started_ms,
        job.target.standing(),
        job.served.version,
        counted.rows,
        len(counted.bad),
        dict(counted.flags),
    )
    states.write(state)
    return Finished(state, counted.rows if stage is not None else 0, again=False)


@contextmanager
def _shown(rows: int | None) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("  scoring"), BarColumn(), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        bar = progress.add_task("scoring", total=rows)
        yield lambda done: progress.update(bar, completed=done)


def _check_share(job: BatchJob, counted: Counted) -> None:
    """Refused where more rows were set apart than a delivery of the use case may hold."""
    all_rows, limit = counted.rows + len(counted.bad), job.served.use_case.validation
    share = len(counted.bad) / max(all_rows, 1)
    if share > limit.max_quarantined_share:
        first = counted.bad[0]
        raise Refused(
            f"source: {len(counted.bad):,} of {all_rows:,} rows do not fit, more than "
            f"max_quarantined_share {limit.max_quarantined_share:.1%} allows; the first: "
            f"{first.where}, row {first.row}, {first.reason}"
        )


def _logged_ms(job: BatchJob) -> int:
    """When the job whose answers are in `predictions` first began; 0: they are not."""
    if not job.tables.exists("predictions"):
        return 0
    return job.tables.intake("predictions").last(writer_of(job.id))


def _log(job: BatchJob, started_ms: int, stage: Stage, crew: Crew) -> None:
    """Busy where another host logged the job meanwhile: its ids are others, and it goes on."""

    def opened() -> ExactlyOnceWriter:
        job.tables.create("predictions", stage.schema, (PARTITION,))
        return job.tables.intake("predictions")

    if not commit_once(opened, job.id, started_ms, stage, partial(append_days, crew.each)):
        raise Busy(
            f"Another host answered job {job.id} meanwhile: its answers are in predictions, and it "
            f"writes those to {job.target.address}; run again if it does not."
        )


def _publish(
    job: BatchJob, started_ms: int, bad: list[BadRow], writing: Writing, scratch: Path
) -> None:
    """The rows that were set apart first: whoever sees the answers finds them."""
    beside = job.target.set_apart()
    if bad:
        with beside.writing(job.id, started_ms, BAD_SCHEMA, scratch) as rows:
            rows.write(bad_table(bad))
            rows.publish()
    else:
        beside.clear()
    writing.publish()
