"""What each job has to do now, as commands that people use too."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from contract.errors import BadInput
from contract.settings import Settings
from contract.store.labels import labels_sql, moment, shared_keys
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import Job
from monitoring.windows.window import WindowRequest, counting, resolve
from pipelines.data.days import local_midnight
from pipelines.scheduling.due import (
    Days,
    WindowContent,
    counted_windows,
    due_windows,
    ended_windows,
    running_window,
    title,
)

MODULES: dict[Job, str] = {
    "monitor": "monitoring",
    "feedback": "pipelines.feedback",
    "pipeline": "pipelines.main",
    "batch": "pipelines.score",
    "retrain": "pipelines.retrain",
    "maintain": "pipelines.maintain",
}


@dataclass(frozen=True)
class JobContext:
    """The use case whose jobs run, as it was named, and where its tables lie."""

    named: str
    use_case: UseCase
    settings: Settings

    def command(self, job: Job, *options: str) -> tuple[str, ...]:
        """The command of a job."""
        root = ("--root", self.settings.root) if self.settings.root else ()
        named = ("--use-case", self.named, *root)
        return (sys.executable, "-m", MODULES[job], *named, *options, "--json", "yes")


@dataclass(frozen=True)
class JobTask:
    """One command, and the window or file that it is done for; empty: it is done each time."""

    command: tuple[str, ...]
    key: str = ""


@dataclass(frozen=True)
class JobWork:
    """All that a job has to do now, and the marks of windows or files once it is done."""

    tasks: tuple[JobTask, ...]
    marks: Mapping[str, str] = field(default_factory=dict)


def work(job: Job, context: JobContext, done: Mapping[str, str], now: datetime) -> JobWork:
    """What a job has to do, given the marks of what it has done."""
    if job == "monitor":
        return _windows(context, done, now)
    if job == "feedback":
        return _label_files(context, done)
    return JobWork((JobTask(context.command(job)),))


def _windows(context: JobContext, done: Mapping[str, str], now: datetime) -> JobWork:
    use_case = context.use_case
    tables = Tables(context.settings.table_root, use_case.name)
    tasks = []
    # Whether or not a window is due: what is late, and what hands have moved.
    if use_case.source.expect_every or tables.exists("ledger"):
        tasks.append(JobTask(context.command("monitor", "--only", "deliveries")))
    if not tables.exists("predictions"):
        return JobWork(tuple(tasks))
    before = local_midnight(running_window(now, use_case)[0], use_case.time_zone)
    ended = ended_windows(now, _newest(tables, before, now), use_case)
    content = contents(tables, use_case, ended, now)
    counted = counted_windows(ended, content, done)
    for start, end in due_windows(counted, content, done):
        days = ("--from", start.isoformat(), "--until", end.isoformat())
        tasks.append(JobTask(context.command("monitor", *days), title((start, end))))
    return JobWork(tuple(tasks), {title(w): content[title(w)].mark for w in counted})


def _newest(tables: Tables, before: datetime, now: datetime) -> datetime | None:
    opened = tables.open("predictions")
    counted = " AND ".join(counting(opened, now))
    rows = tables.query(
        "SELECT max(p.event_time) AS newest FROM predictions p "  # noqa: S608, moments
        f"WHERE p.event_time < {moment(before)} AND {counted}",
        predictions=opened,
    )
    newest: datetime | None = rows.column("newest")[0].as_py()
    return newest


def contents(
    tables: Tables, use_case: UseCase, windows: list[Days], now: datetime
) -> dict[str, WindowContent]:
    """What each of these neighbouring windows holds, by its title."""
    whole = resolve(WindowRequest(windows[0][0], windows[-1][1]), tables, use_case, now)
    where = " AND ".join(whole.where)
    opened = {"predictions": tables.open("predictions", whole.table_version)}
    labels = "SELECT CAST(NULL AS VARCHAR) AS prediction_id, 0 AS revision"
    if tables.exists("feedback"):
        opened["feedback"] = tables.open("feedback")
        labels = labels_sql(shared_keys(opened, use_case.keys), where)
    cases = " ".join(
        f"WHEN p.event_time < {moment(local_midnight(end, use_case.time_zone))} THEN {place}"
        for place, (_, end) in enumerate(windows)
    )
    sql = (
        f"SELECT CASE {cases} END AS place, count(*) AS rows, count(l.revision) AS labels, "  # noqa: S608
        "CAST(coalesce(sum(l.revision), 0) AS BIGINT) AS revisions FROM predictions p "
        f"LEFT JOIN ({labels}) l ON l.prediction_id = p.prediction_id WHERE {where} GROUP BY 1"
    )
    content = {title(window): WindowContent() for window in windows}
    for row in tables.query(sql, **opened).to_pylist():
        place = row.pop("place")
        content[title(windows[place])] = WindowContent(**row)
    return content


def _label_files(context: JobContext, done: Mapping[str, str]) -> JobWork:
    """A file is imported when it is new or has changed since."""
    marks = {}
    for file in sorted(Path("/").glob(label_pattern(context).removeprefix("/"))):
        status = file.stat()
        marks[str(file)] = f"{status.st_size} bytes of {status.st_mtime_ns} ns"
    tasks = [
        JobTask(context.command("feedback", "--source", name), name)
        for name, mark in marks.items()
        if done.get(name) != mark
    ]
    return JobWork(tuple(tasks), marks)


def label_pattern(context: JobContext) -> str:
    """Where label files land; beside the use case's tables, unless it is absolute."""
    pattern, root = context.use_case.schedule.labels, context.settings.table_root
    assert pattern is not None, "the use case was checked"
    if Path(pattern).is_absolute() or "://" not in root:
        return str(Path(root) / context.use_case.name / pattern)
    raise BadInput(
        f"schedule.labels: an absolute path is needed where tables live under {root}, "
        f"found {pattern!r}."
    )
