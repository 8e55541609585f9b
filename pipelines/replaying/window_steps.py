"""What happens to one window of a replay: its traffic, its report, its labels.

Each can be done again without doing anything twice: only rows without an answer are sent, the same
labels change nothing, the same content is reported once.
"""

import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import write_table

from contract.errors import BadInput, Unavailable
from contract.hints import typed
from contract.processes import run_to_end
from contract.settings import Settings
from contract.store.locks import lock_folder
from contract.use_case.model import UseCase
from monitoring.monitor import monitor
from monitoring.report.history import read_document, read_history
from monitoring.windows.rows import served_versions
from monitoring.windows.window import WindowRequest, resolve
from pipelines.data.after_holdout import Days, drawn, unanswered, within
from pipelines.data.days import local_midnight
from pipelines.registry.versions import Version, champion_of, find_version
from pipelines.replaying.progress import ReplayRetraining, WindowFigures, WindowProgress
from pipelines.replaying.service_process import free_port, post_rows, service, stop_left_over
from pipelines.replaying.timeline import TimelineEvent
from pipelines.retraining.candidate import Retrained, as_of_text
from pipelines.runtime.console import count
from pipelines.runtime.workspace import Workspace, connected, open_workspace
from tracking.tags import RETRAINED_AS_OF_TAG


@dataclass(frozen=True)
class ReplaySteps:
    """The commands that a replay runs on its windows, as functions."""

    import_labels: Callable[[Workspace, str], object]  # from this file
    backtest: Callable[[Workspace, Version, str, str], Mapping[str, float]]  # figures of days
    retrain: Callable[[UseCase, str, datetime], Retrained]  # in this root, as of then


@dataclass(frozen=True)
class ReplayContext:
    """Where a replay takes place, and with what."""

    name: str  # of the use case, or the path of its file
    use_case: UseCase
    settings: Settings
    root: str
    rows: pa.Table  # all that may be asked
    sample: int | None  # at most so many rows of a window
    label_lag_days: int
    retrain: bool  # where a report calls for it
    steps: ReplaySteps

    def of(self, window: Days) -> pa.Table:
        """The rows of a window that are asked."""
        rows = within(self.rows, window, self.use_case)
        return drawn(rows, self.sample) if self.sample else rows


def play(
    context: ReplayContext, event: TimelineEvent, progress: WindowProgress, first_version: str
) -> WindowProgress:
    """Do one entry of the agenda; what is known of its window then."""
    match event.what:
        case "traffic":
            return _ask(context, event.window, progress)
        case "report":
            figures = _report(context, event.window, progress, first=True)
            return progress.model_copy(update={"first": figures})
        case "labels":
            return _learn(context, event.window, progress, first_version)


def retrain_as_of(
    context: ReplayContext,
    event: TimelineEvent,
    progress: WindowProgress,
    noted: Collection[str],
) -> WindowProgress:
    """Retrain as on the day of a report, where it calls for that; what came of it.

    A candidate of that day that is not among the `noted` was made before this replay was killed.
    """
    # A window that ends these days has labels that come later than today.
    now = min(local_midnight(event.at, context.use_case.time_zone), datetime.now(UTC))
    retrained = context.steps.retrain(context.use_case, context.root, now)
    workspace = connected(context.use_case, context.settings, "training")
    state, version = retrained.state, retrained.version
    made = find_version(workspace, **{RETRAINED_AS_OF_TAG: as_of_text(now)})
    if not version and made and made.version not in noted:
        state, version = "RETRAIN", made.version
    if not (retrained.cause or version):
        return progress
    champion = champion_of(workspace)
    live = champion is not None and champion.version == version
    retraining = ReplayRetraining(at=event.at, state=state, version=version, live=live)
    return progress.model_copy(update={"cures": (*progress.cures, retraining)})


def _ask(context: ReplayContext, window: Days, progress: WindowProgress) -> WindowProgress:
    """Send the rows that have no answer yet to a service with the champion."""
    rows = context.of(window)
    with open_workspace(context.use_case, context.root, "monitoring") as workspace:
        # A replay that was killed leaves a service behind, and answers on their way to the table.
        note = lock_folder(context.settings) / f"{context.use_case.name}.replay.service"
        stop_left_over(note)
        _ship(context)
        champion = champion_of(workspace)
        if champion is None:
            raise BadInput(
                f"{context.name} has no version in Production; first: {typed('main', context.name)}"
            )
        missing = unanswered(workspace, rows)
        if missing.num_rows:
            port = free_port()
            with service(context.name, context.root, port, champion.version, note) as address:
                post_rows(address, context.use_case, missing)
            _ship(context)
        lost = unanswered(workspace, rows).num_rows
        if lost:
            raise Unavailable(
                f"{count(lost)} answers of {window} are not in the table yet; another shipper may "
                "hold the spool. Run again to go on."
            )
        request, now = WindowRequest(window.start, window.end), datetime.now(UTC)
        answered = resolve(request, workspace.tables, context.use_case, now)
        version, *_ = served_versions(workspace.tables, answered)
    return progress.model_copy(
        update={"version": version, "rows": rows.num_rows, "sent": missing.num_rows}
    )


def _ship(context: ReplayContext) -> None:
    """Move what lies in the spool into the table."""
    command = [sys.executable, "-m", "serving.shipper", "--name", context.use_case.name]
    command += ["--root", context.settings.table_root, "--drain", "yes"]
    shipping = run_to_end(command)
    if shipping.code:
        raise Unavailable(f"The spool could not be shipped: {shipping.reason}")


def _report(
    context: ReplayContext, window: Days, progress: WindowProgress, first: bool = False
) -> WindowFigures:
    """Monitor a window; figures of the version that answered it, now or at `first`.

    The first report is the first one on all rows: one on a part of them may stand before it.
    """
    monitor(context.use_case, context.settings, WindowRequest(window.start, window.end))
    workspace = connected(context.use_case, context.settings, "monitoring")
    history = read_history(workspace.client, workspace.experiment_id, progress.version)
    runs = history.revisions(str(window))
    if first:
        whole = runs[0].data.metrics["rows"]
        runs = [run for run in reversed(runs) if run.data.metrics["rows"] == whole]
    metric = context.use_case.evaluation.metric
    return WindowFigures.of(read_document(runs[0]), metric, runs[0].info.run_id)


def _learn(
    context: ReplayContext, window: Days, progress: WindowProgress, first_version: str
) -> WindowProgress:
    """Import a window's labels, report on it once more, and ask the first version about it."""
    use_case = context.use_case
    rows = context.of(window)
    labelled = rows.filter(pc.is_valid(rows.column(use_case.target)))
    with (
        tempfile.TemporaryDirectory() as folder,
        open_workspace(use_case, context.root, "monitoring") as workspace,
    ):
        path = f"{folder}/labels.parquet"
        write_table(statements(labelled, use_case, window.end, context.label_lag_days), path)
        context.steps.import_labels(workspace, path)
        reached = None
        if progress.version != first_version:
            reached = _reached_by(context, workspace, window, first_version)
    return progress.model_copy(
        update={
            "labels": labelled.num_rows,
            "label_mean": label_mean(labelled, use_case),
            "first_version": reached,
            "last": _report(context, window, progress),
        }
    )


def statements(labelled: pa.Table, use_case: UseCase, end: date, lag_days: int) -> pa.Table:
    """Labels by keys and event time, each known so long after its event.

    At the latest that long after the window's end: clocks that go forward take no label away.
    """
    time, lag = str(use_case.event_time), timedelta(days=lag_days)
    times = pc.add(labelled.column(time), pa.scalar(lag))
    last = pa.scalar(local_midnight(end + lag, use_case.time_zone), times.type)
    times = pc.if_else(pc.greater(times, last), last, times)
    labels = labelled.select([*use_case.keys, time, use_case.target])
    return labels.append_column("label_time", times)


def _reached_by(
    context: ReplayContext, workspace: Workspace, window: Days, version: str
) -> float | None:
    """The main metric that a version would have reached on the window."""
    days = str(window.start), str(window.end)
    figures = context.steps.backtest(workspace, Version.read(workspace, version), *days)
    return figures.get(context.use_case.evaluation.metric)


def label_mean(labelled: pa.Table, use_case: UseCase) -> float | None:
    """Share of the positive class, or the mean of numbers; None for several classes."""
    labels = labelled.column(use_case.target)
    if use_case.task == "multiclass" or not labelled.num_rows:
        return None
    if use_case.task == "binary":
        labels = pc.equal(labels, pa.scalar(use_case.positive, labels.type))
    return float(pc.mean(labels.cast(pa.float64())).as_py())
