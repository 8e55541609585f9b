"""Replay: the time after the holdout once more, window by window, as it would have been.

Real rows go to a real service over HTTP; every window is monitored when it ends; its labels arrive
late, by the import of feedback, and it is reported on again. Killed and started again, a replay
goes on where it was.
"""

import time
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.box import SIMPLE
from rich.table import Table

from contract.errors import BadInput, Busy
from contract.hints import typed
from contract.names import experiment
from contract.settings import read_settings
from contract.store.locks import lock_folder, locked
from contract.use_case.loader import load_use_case
from contract.use_case.model import TimeSplit, UseCase
from monitoring.windows.window import read_count, read_day
from pipelines.backtest import backtest
from pipelines.data.after_holdout import within
from pipelines.feedback import feedback
from pipelines.registry.versions import Version
from pipelines.replaying.picture import draw
from pipelines.replaying.progress import ReplayProgress, table
from pipelines.replaying.run import conclude, keep, take_up
from pipelines.replaying.timeline import TimelineEvent, agenda, windows
from pipelines.replaying.window_steps import ReplayContext, ReplaySteps, play, retrain_as_of
from pipelines.retrain import retrain as run_retrain
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, summary
from pipelines.runtime.workspace import Workspace, connected, open_workspace
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
    context: ReplayContext,
    events: tuple[TimelineEvent, ...],
    parameters: dict[str, str],
    picture: str,
) -> ReplayProgress:
    """Do what the agenda holds and is not done yet; the progress on all windows."""
    workspace = connected(context.use_case, context.settings, "monitoring")
    run_id, replayed = take_up(workspace, parameters)
    for number, event in enumerate(events, 1):
        if str(event) in replayed.done:
            continue
        started = time.monotonic()
        progress = replayed.window(event.window.start, event.window.end)
        first = replayed.seen[0].version if replayed.seen else ""
        progress = play(context, event, progress, first)
        if context.retrain and event.what != "traffic":
            progress = retrain_as_of(context, event, progress, replayed.candidates)
        replayed = replayed.noting(str(event), progress)
        keep(workspace, run_id, replayed)
        took = f"{time.monotonic() - started:5.1f} s"
        console().print(f"[{number:>2} of {len(events)}] {took}  {event}", markup=False)
    figure = draw(replayed.seen, context.use_case, context.label_lag_days)
    conclude(workspace, run_id, replayed, figure)
    if picture:
        figure.savefig(picture)
    return replayed


def _figures(workspace: Workspace, version: Version, first: str, last: str) -> dict[str, float]:
    return backtest(workspace, version, first, last).result.figures


STEPS = ReplaySteps(import_labels=feedback, backtest=_figures, retrain=run_retrain)


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
    busy = Busy(f"Another replay of {declared.name} is at work; nothing was done here.")
    with locked(lock_folder(settings) / f"{declared.name}.replay.lock", lambda: busy):
        with open_workspace(declared, root, "training") as workspace:
            _, valid = newest_valid(workspace)
        last = local_day(valid, declared, "max")
        if end:
            last = min(last, end - timedelta(days=1))
        declared_windows = windows(first, last, declared.monitoring)
        asked = tuple(w for w in declared_windows if within(valid, w, declared).num_rows)
        if not asked:
            raise BadInput(f"No rows from {first} on, the day after the holdout, to {last}.")
        context = ReplayContext(
            use_case, declared, settings, root, valid, sample, lag, cli.flag(retrain), STEPS
        )
        given = {"rows": rows, "until": until, "label_lag_days": label_lag_days}
        parameters = given | {"retrain": "yes" if context.retrain else "no"}
        replayed = replay(context, agenda(asked, lag), parameters, picture)
    _print(replayed, declared, time.monotonic() - started)


def _print(replayed: ReplayProgress, use_case: UseCase, seconds: float) -> None:
    head, *lines = table(replayed, use_case)
    window_table = Table(title=f"{use_case.title}: replayed", title_justify="left", box=SIMPLE)
    for name in head:
        window_table.add_column(name)
    for line in lines:
        window_table.add_row(*line)
    console().print(window_table)
    sent = sum(window.sent for window in replayed.seen)
    labels = sum(window.labels for window in replayed.seen)
    facts = {"rows sent": count(sent), "labels": count(labels)}
    facts |= {"took": f"{seconds:.0f} s"}
    where = experiment(use_case.name, "monitoring")
    summary("Replay", facts, {f"run replay in experiment {where}": typed("ui")})


if __name__ == "__main__":
    cli.run(main)
