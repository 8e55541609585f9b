"""The work of a job: read, check, answer, log, publish. Killed anywhere, it begins again; what was
committed by then is not done twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from contract.errors import Refused
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.predictions import PARTITION
from contract.store.tables import Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.runtime.console import console
from pipelines.scoring.ahead import in_order
from pipelines.scoring.answers import (
    AnsweredPart,
    answer_rows,
    answer_schema,
    logged_rows,
    logged_schema,
)
from pipelines.scoring.checked import BAD_SCHEMA, BadRow, bad_table, check_part
from pipelines.scoring.day_files import append_days
from pipelines.scoring.job import TargetState, TargetStates, request_id
from pipelines.scoring.rows import OpenedRows
from pipelines.scoring.stage import Stage, commit_once, staged, writer_of
from pipelines.scoring.targets import AnswerTarget, Writing
from serving.requests.arrow_columns import CheckedBatch, with_time_flags
from serving.scoring.score_batch import score_batch
from serving.scoring.version import ServedVersion

MILLISECONDS = 1000


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
    with ExitStack() as stack:
        writing = None
        if not in_target:
            writing = stack.enter_context(job.target.writing(job.id, started_ms, schema, scratch))
        stage = None
        if job.hidden is not None and not in_log:
            stage = stack.enter_context(staged(scratch, logged_schema(case)))
        counted = _through(job, started_ms, writing, stage)
        _check_share(job, counted)
        logged = counted.rows if stage is not None and _log(job, started_ms, stage) else 0
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
    return Finished(state, logged, again=False)


@dataclass
class _Counted:
    rows: int
    bad: list[BadRow]
    flags: Counter[str]


def _through(
    job: BatchJob, started_ms: int, writing: Writing | None, stage: Stage | None
) -> _Counted:
    """Answer all parts, each into what waits for it."""
    served, started = job.served, datetime.fromtimestamp(started_ms / MILLISECONDS, UTC)
    schema = answer_schema(served.use_case, served.scorer.classes)
    counted = _Counted(0, [], Counter())

    def answered(timeless: CheckedBatch) -> tuple[CheckedBatch, pa.RecordBatch]:
        checked = with_time_flags(timeless, served.use_case, started)
        return checked, score_batch(served.scorer, checked.rows, served.use_case)

    parts = in_order(answered, _checked(job, counted.bad), job.threads)
    for number, (checked, answers) in enumerate(parts):
        part = AnsweredPart(checked, answers, request_id(job.id, started_ms, number))
        if writing is not None:
            writing.write(answer_rows(part, schema, served))
        if stage is not None and job.hidden is not None:
            stage.write(logged_rows(part, served, job.hidden, started))
        counted.rows += checked.rows.num_rows
        counted.flags.update({flag: int(mask.sum()) for flag, mask in checked.flags.items()})
    return counted


def _checked(job: BatchJob, bad: list[BadRow]) -> Iterator[CheckedBatch]:
    """The checked rows of each part; those that do not fit are added to `bad`."""
    with _shown(job.source.rows) as progress:
        done = 0
        for part in job.source.parts():
            checked, apart = check_part(part, job.served.use_case, job.set_apart)
            bad += apart
            yield checked
            done += part.rows.num_rows
            progress(done)


@contextmanager
def _shown(rows: int | None) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("  scoring"), BarColumn(), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        bar = progress.add_task("scoring", total=rows)
        yield lambda done: progress.update(bar, completed=done)


def _check_share(job: BatchJob, counted: _Counted) -> None:
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


def _log(job: BatchJob, started_ms: int, stage: Stage) -> bool:
    def opened() -> ExactlyOnceWriter:
        job.tables.create("predictions", stage.schema, (PARTITION,))
        return job.tables.intake("predictions")

    return commit_once(opened, job.id, started_ms, stage, append_days)


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
