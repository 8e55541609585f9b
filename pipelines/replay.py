"""Replay: the time after the holdout once more, window by window, as it would have been.

Real rows go to a real service over HTTP; every window is monitored when it ends; its labels arrive
late, by the import of feedback, and it is reported on again. Killed and started again, a replay
goes on where it was.
"""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.box import SIMPLE
from rich.table import Table

from contract.errors import BadInput, Busy, Refused
from contract.hints import typed
from contract.names import experiment
from contract.settings import read_settings
from contract.store.ledger import LedgerEntry, broken_link, read_entries
from contract.store.locks import lock_folder, locked
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.split import TimeSplit
from monitoring.windows.window import read_count, read_day
from pipelines.backtest import backtest
from pipelines.data.after_holdout import Days, within
from pipelines.feedback import feedback
from pipelines.registry.description import acted_by
from pipelines.registry.versions import Version
from pipelines.replaying.found_rows import found_rows
from pipelines.replaying.picture import draw
from pipelines.replaying.progress import ReplayProgress, table
from pipelines.replaying.promises import Promise, promises
from pipelines.replaying.run import conclude, keep, take_up
from pipelines.replaying.staying import keep_running
from pipelines.replaying.story import STORY_FILE
from pipelines.replaying.story import story as tell_story
from pipelines.replaying.timeline import TimelineEvent, agenda, windows
from pipelines.replaying.window_steps import ReplayContext, ReplaySteps, play, retrain_as_of
from pipelines.retrain import retrain as run_retrain
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, summary
from pipelines.runtime.workspace import Workspace, connected, open_workspace
from pipelines.validate import newest_valid
from tracking.tags import GATE_REASONS_TAG

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RowsOption = Annotated[
    str, typer.Option(help="At most so many rows of a window, a seeded sample; empty: all.")
]
LagOption = Annotated[str, typer.Option(help="Days from a window's end until it has its labels.")]
UntilOption = Annotated[
    str, typer.Option(help="First day that is not replayed; empty: all rows there are.")
]
RetrainOption = Annotated[str, typer.Option(help="no: never, to see the decline alone.")]
PictureOption = Annotated[str, typer.Option(help="Write the picture to this file too.")]
StoryOption = Annotated[str, typer.Option(help="Write the page story.html to this file too.")]
StayOption = Annotated[
    str, typer.Option(help="yes: then keep MLflow's pages and the service running until Ctrl-C.")
]
MAX_LAG_DAYS = 3650


def replay(
    context: ReplayContext,
    events: tuple[TimelineEvent, ...],
    parameters: dict[str, str],
    picture: str,
    story: str = "",
) -> ReplayProgress:
    """Do what the agenda holds and is not done yet; the progress on all windows.

    Refused where a promise is found broken, once all of it is told.
    """
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
    page, broken = tell(context, workspace, replayed, figure)
    conclude(workspace, run_id, replayed, figure, page)
    if picture:
        figure.savefig(picture)
    if story:
        Path(story).write_text(page, encoding="utf-8")
    if broken:
        lines = "; ".join(promise.line() for promise in broken)
        raise Refused(f"A promise broke: {lines}. {STORY_FILE} of the run replay tells where.")
    return replayed


def tell(
    context: ReplayContext, workspace: Workspace, replayed: ReplayProgress, figure: "Figure"
) -> tuple[str, list[Promise]]:
    """The story of a replay, and the promises that it found broken."""
    use_case, tables = context.use_case, workspace.tables
    found = [
        found_rows(tables, use_case, window, context.of(window))
        for window in (Days(seen.start, seen.end) for seen in replayed.seen)
    ]
    entries = read_entries(tables)
    promised = promises(replayed.seen, found, broken_link(entries))
    versions = {window.version for window in replayed.seen} | replayed.candidates - {""}
    whys = {version: why_live(workspace, entries, version) for version in versions}
    lag = context.label_lag_days
    page = tell_story(replayed, use_case, lag, found, promised, whys, figure)
    return page, [promise for promise in promised if not promise.kept]


def why_live(workspace: Workspace, entries: Sequence[LedgerEntry], version: str) -> str:
    """Why a version went live, by the ledger, or what the gate said of it."""
    promoted = (e for e in reversed(entries) if e.move == "promote" and e.version == version)
    if (entry := next(promoted, None)) is not None:
        return f"{entry.why} ({acted_by(entry)})"
    found = Version.read(workspace, version)
    return f"the gate: {found.tags.get(GATE_REASONS_TAG, 'not asked')}"


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
    story: StoryOption = "",
    stay: StayOption = "",
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
        replayed = replay(context, agenda(asked, lag), parameters, picture, story)
    _print(replayed, declared, time.monotonic() - started, story)
    if cli.flag(stay):
        keep_running(use_case, root, settings)


def _print(replayed: ReplayProgress, use_case: UseCase, seconds: float, story: str) -> None:
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
    facts |= {"story": Path(story).resolve().as_uri()} if story else {}
    summary("Replay", facts, {f"run replay in experiment {where}": typed("ui")})


if __name__ == "__main__":
    cli.run(main)
