"""What happens to one window of a replay: its traffic, its report, its labels.

Each can be done again without doing anything twice: only rows without an answer are sent, the same
labels change nothing, the same content is reported once.
"""

import subprocess
import sys
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.parquet import write_table

from contract.errors import BadInput, Unavailable
from contract.settings import Settings
from contract.store.locks import lock_folder
from contract.use_case.model import UseCase
from monitoring.monitor import monitor
from monitoring.report.history import read_document, read_history
from monitoring.windows.rows import served_versions
from monitoring.windows.window import WindowRequest, resolve
from pipelines.backtest import backtest
from pipelines.data.after_holdout import Days, drawn, unanswered, within
from pipelines.data.days import local_midnight
from pipelines.feedback import feedback
from pipelines.registry.versions import Version, champion_of, find_version
from pipelines.replaying.progress import ReplayRetraining, WindowFigures, WindowProgress
from pipelines.replaying.service_process import free_port, post_rows, service, stop_left_over
from pipelines.replaying.timeline import TimelineEvent
from pipelines.retrain import retrain
from pipelines.retraining.candidate import AS_OF_TAG, as_of_text
from pipelines.runtime.console import count
from pipelines.runtime.workspace import Workspace, connected, open_workspace


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

    def of(self, window: Days) -> pa.Table:
        """The rows of a window that are asked."""
        found = within(self.rows, window, self.use_case)
        return drawn(found, self.sample) if self.sample else found


def happen(
    scene: ReplayContext, due: TimelineEvent, seen: WindowProgress, first_version: str
) -> WindowProgress:
    """Do one entry of the agenda; what is known of its window then."""
    match due.what:
        case "traffic":
            return _ask(scene, due.window, seen)
        case "report":
            return seen.model_copy(update={"first": _report(scene, due.window, seen, first=True)})
        case "labels":
            return _learn(scene, due.window, seen, first_version)


def cure(
    scene: ReplayContext, due: TimelineEvent, seen: WindowProgress, known: Collection[str]
) -> WindowProgress:
    """Retrain as on the day of a report, where it calls for that; what came of it.

    A candidate of that day that is not `known` was made before this replay was killed.
    """
    # A window that ends these days has labels that come later than today.
    now = min(local_midnight(due.at, scene.use_case.time_zone), datetime.now(UTC))
    done = retrain(scene.use_case, scene.root, now)
    workspace = connected(scene.use_case, scene.settings, "training")
    state, version = done.state, done.version
    made = find_version(workspace, **{AS_OF_TAG: as_of_text(now)})
    if not version and made and made.version not in known:
        state, version = "RETRAIN", made.version
    if not (done.cause or version):
        return seen
    champion = champion_of(workspace)
    live = champion is not None and champion.version == version
    found = ReplayRetraining(at=due.at, state=state, version=version, live=live)
    return seen.model_copy(update={"cures": (*seen.cures, found)})


def _ask(scene: ReplayContext, window: Days, seen: WindowProgress) -> WindowProgress:
    """Send the rows that have no answer yet to a service with the champion."""
    rows = scene.of(window)
    with open_workspace(scene.use_case, scene.root, "monitoring") as workspace:
        # A replay that was killed leaves a service behind, and answers on their way to the table.
        note = lock_folder(scene.settings) / f"{scene.use_case.name}.replay.service"
        stop_left_over(note)
        _ship(scene)
        champion = champion_of(workspace)
        if champion is None:
            raise BadInput(f"{scene.name} has no version in Production; make train comes first.")
        missing = unanswered(workspace, rows)
        if missing.num_rows:
            port = free_port()
            with service(scene.name, scene.root, port, champion.version, note) as address:
                post_rows(address, scene.use_case, missing)
            _ship(scene)
        lost = unanswered(workspace, rows).num_rows
        if lost:
            raise Unavailable(
                f"{count(lost)} answers of {window} are not in the table yet; another shipper may "
                "hold the spool. Run again to go on."
            )
        asked, now = WindowRequest(window.start, window.end), datetime.now(UTC)
        answered = resolve(asked, workspace.tables, scene.use_case, now)
        version, *_ = served_versions(workspace.tables, answered)
    found = {"version": version, "rows": rows.num_rows, "sent": missing.num_rows}
    return seen.model_copy(update=found)


def _ship(scene: ReplayContext) -> None:
    """Move what lies in the spool into the table."""
    command = [sys.executable, "-m", "serving.shipper", "--name", scene.use_case.name]
    command += ["--root", scene.settings.table_root, "--drain", "yes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"The spool could not be shipped: {done.stderr.strip()[-300:]}")


def _report(
    scene: ReplayContext, window: Days, seen: WindowProgress, first: bool = False
) -> WindowFigures:
    """Monitor a window; what is said of the version that answered it, now or at `first`.

    The first report is the first one on all rows: one on a part of them may stand before it.
    """
    monitor(scene.use_case, scene.settings, WindowRequest(window.start, window.end))
    workspace = connected(scene.use_case, scene.settings, "monitoring")
    history = read_history(workspace.client, workspace.experiment_id, seen.version)
    runs = history.revisions(str(window))
    if first:
        whole = runs[0].data.metrics["rows"]
        runs = [run for run in reversed(runs) if run.data.metrics["rows"] == whole]
    metric = scene.use_case.evaluation.metric
    return WindowFigures.of(read_document(runs[0]), metric, runs[0].info.run_id)


def _learn(
    scene: ReplayContext, window: Days, seen: WindowProgress, first_version: str
) -> WindowProgress:
    """Import a window's labels, report on it once more, and ask the first version about it."""
    use_case = scene.use_case
    rows = scene.of(window)
    labelled = rows.filter(pc.is_valid(rows.column(use_case.target)))
    with (
        tempfile.TemporaryDirectory() as folder,
        open_workspace(use_case, scene.root, "monitoring") as workspace,
    ):
        path = f"{folder}/labels.parquet"
        write_table(statements(labelled, use_case, window.end, scene.label_lag_days), path)
        feedback(workspace, path)
        other = None
        if seen.version != first_version:
            other = _first_version(workspace, window, first_version)
    found = {
        "labels": labelled.num_rows,
        "label_mean": label_mean(labelled, use_case),
        "first_version": other,
        "last": _report(scene, window, seen),
    }
    return seen.model_copy(update=found)


def statements(labelled: pa.Table, use_case: UseCase, end: date, lag_days: int) -> pa.Table:
    """Labels by keys and event time, each known so long after its event.

    At the latest that long after the window's end: clocks that go forward take no label away.
    """
    time, lag = str(use_case.event_time), timedelta(days=lag_days)
    known = pc.add(labelled.column(time), pa.scalar(lag))
    last = pa.scalar(local_midnight(end + lag, use_case.time_zone), known.type)
    known = pc.if_else(pc.greater(known, last), last, known)
    said = labelled.select([*use_case.keys, time, use_case.target])
    return said.append_column("label_time", known)


def _first_version(workspace: Workspace, window: Days, version: str) -> float | None:
    """The main metric that the version would have reached on the window."""
    asked = Version.read(workspace, version)
    days = str(window.start), str(window.end)
    found = backtest(workspace, asked, *days).result
    return found.figures.get(workspace.use_case.evaluation.metric)


def label_mean(labelled: pa.Table, use_case: UseCase) -> float | None:
    """Share of the positive class, or the mean of numbers; None for several classes."""
    labels = labelled.column(use_case.target)
    if use_case.task == "multiclass" or not labelled.num_rows:
        return None
    if use_case.task == "binary":
        labels = pc.equal(labels, pa.scalar(use_case.positive, labels.type))
    return float(pc.mean(labels.cast(pa.float64())).as_py())
