"""Replay: the time after the holdout once more, window by window, as it would have been.

Real rows go to a real service over HTTP; every window is monitored when it ends; its labels arrive
late, by the import of feedback, and it is reported on again. Killed and started again, a replay
goes on where it was.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import typer
from filelock import FileLock, Timeout
from rich.box import SIMPLE
from rich.table import Table

from contract.errors import BadInput, Busy
from contract.names import experiment
from contract.settings import Settings, read_settings
from contract.store.locks import lock_folder
from contract.use_case.loader import load_use_case
from contract.use_case.model import TimeSplit, UseCase
from monitoring.windows.window import read_count, read_day
from pipelines.data.after_holdout import within
from pipelines.replaying.picture import draw
from pipelines.replaying.progress import ReplayProgress, table
from pipelines.replaying.run import conclude, keep, take_up
from pipelines.replaying.timeline import TimelineEvent, agenda, windows
from pipelines.replaying.window_steps import ReplayContext, cure, happen
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, summary
from pipelines.runtime.workspace import connected, open_workspace
from pipelines.validate import newest_valid

RowsOption = Annotated[
    str, typer.Option(help="At most so many rows of a window, a seeded sample; empty: all.")
]
LagOption = Annotated[str, typer.Option(help="Days from a window's end until it has its labels.")]
UntilOption = Annotated[
    str, typer.Option(help="First day that is not replayed; empty: all rows there are.")
]
RetrainOption = Annotated[str, typer.Option(help="no: never, to see the decline alone.")]
PictureOption = Annotated[str, typer.Option(help="Write the picture to this file too.")]
MAX_LAG_DAYS = 3650


def replay(
    scene: ReplayContext, due: tuple[TimelineEvent, ...], parameters: dict[str, str], picture: str
) -> ReplayProgress:
    """Do what the agenda holds and is not done yet; what was seen in all."""
    workspace = connected(scene.use_case, scene.settings, "monitoring")
    run_id, replayed = take_up(workspace, parameters)
    for number, entry in enumerate(due, 1):
        if str(entry) in replayed.done:
            continue
        started = time.monotonic()
        seen = replayed.window(entry.window.start, entry.window.end)
        first = replayed.seen[0].version if replayed.seen else ""
        seen = happen(scene, entry, seen, first)
        if scene.retrain and entry.what != "traffic":
            seen = cure(scene, entry, seen, replayed.candidates)
        replayed = replayed.noting(str(entry), seen)
        keep(workspace, run_id, replayed)
        took = f"{time.monotonic() - started:5.1f} s"
        console().print(f"[{number:>2} of {len(due)}] {took}  {entry}", markup=False)
    figure = draw(replayed.seen, scene.use_case, scene.label_lag_days)
    conclude(workspace, run_id, replayed, figure)
    if picture:
        figure.savefig(picture)
    return replayed


def first_day(use_case: UseCase) -> date:
    """The day after the holdout; BadInput where the use case declares none."""
    split = use_case.split
    if not (isinstance(split, TimeSplit) and split.holdout_until and use_case.event_time):
        raise BadInput(
            f"{use_case.name} can't be replayed: that takes event times and split.holdout_until, "
            "the day from which on rows were not there yet."
        )
    return split.holdout_until


def local_day(rows: pa.Table, use_case: UseCase, end: Literal["min", "max"]) -> date:
    """The local day of the oldest or the newest row."""
    bounds = pc.min_max(rows.column(str(use_case.event_time)))
    moment: datetime = bounds[end].as_py()
    return moment.astimezone(ZoneInfo(use_case.time_zone)).date()


@contextmanager
def _alone(use_case: UseCase, settings: Settings) -> Iterator[None]:
    lock = FileLock(lock_folder(settings) / f"{use_case.name}.replay.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(
            f"Another replay of {use_case.name} is at work; nothing was done here."
        ) from None
    try:
        yield
    finally:
        lock.release()


def read_lag(text: str) -> int:
    """Days that labels need."""
    if not text.isdigit() or int(text) > MAX_LAG_DAYS:
        raise BadInput(f"label_lag_days: a whole number of days is needed, found {text!r}.")
    return int(text)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    rows: RowsOption = "",
    until: UntilOption = "",
    label_lag_days: LagOption = "30",
    retrain: RetrainOption = "yes",
    picture: PictureOption = "",
) -> None:
    """Replay: the time after the holdout once more, with late labels, window by window."""
    started = time.monotonic()
    declared, settings = load_use_case(use_case), read_settings(root)
    sample, lag, end = read_count("rows", rows), read_lag(label_lag_days), read_day("until", until)
    first = first_day(declared)
    with _alone(declared, settings):
        with open_workspace(declared, root, "training") as workspace:
            _, valid = newest_valid(workspace)
        last = local_day(valid, declared, "max")
        if end:
            last = min(last, end - timedelta(days=1))
        found = windows(first, last, declared.monitoring)
        asked = tuple(w for w in found if within(valid, w, declared).num_rows)
        if not asked:
            raise BadInput(f"No rows from {first} on, the day after the holdout, to {last}.")
        scene = ReplayContext(
            use_case, declared, settings, root, valid, sample, lag, cli.flag(retrain)
        )
        given = {"rows": rows, "until": until, "label_lag_days": label_lag_days}
        parameters = given | {"retrain": "yes" if scene.retrain else "no"}
        replayed = replay(scene, agenda(asked, lag), parameters, picture)
    _print(replayed, declared, time.monotonic() - started)


def _print(replayed: ReplayProgress, use_case: UseCase, seconds: float) -> None:
    head, *lines = table(replayed, use_case)
    shown = Table(title=f"{use_case.title}: replayed", title_justify="left", box=SIMPLE)
    for name in head:
        shown.add_column(name)
    for line in lines:
        shown.add_row(*line)
    console().print(shown)
    sent = sum(seen.sent for seen in replayed.seen)
    facts = {"rows sent": count(sent), "labels": count(sum(s.labels for s in replayed.seen))}
    facts |= {"took": f"{seconds:.0f} s"}
    where = experiment(use_case.name, "monitoring")
    summary("Replay", facts, {f"run replay in experiment {where}": "make ui"})


if __name__ == "__main__":
    cli.run(main)
