"""One monitoring run: a window of each version that answered in it, judged and written down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from contract.errors import BadInput
from contract.settings import Settings
from contract.store.fingerprint import value_hash
from contract.store.locks import alone
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import altered
from monitoring.measures.answers import classes_of, score_index
from monitoring.measures.compare import frozen_columns
from monitoring.measures.count import WindowCounts, count_window
from monitoring.report.evidently_pages import EvidentlyPages, draw
from monitoring.report.figures import WindowReport
from monitoring.report.history import ReportHistory, UnreadableArtifact, read_document, read_history
from monitoring.report.publish import PAGE_FILE, publish
from monitoring.verdict.evidence import UNJUDGED, PastVerdict
from monitoring.verdict.judge import ANSWER_ROWS, judge
from monitoring.windows.reference import Rows
from monitoring.windows.rows import WindowReader, served_versions
from monitoring.windows.versions import (
    ServedModel,
    asking,
    champion_version,
    monitoring_experiment,
    read_served,
)
from monitoring.windows.window import Window, WindowRequest, resolve
from tracking.store import connect

PATIENCE_S = 900.0  # with another run on the same use case


@dataclass(frozen=True)
class Monitored:
    """Where the report on one version stands and what it says."""

    status: str
    version: str
    window: str
    rows: int
    reasons: tuple[str, ...]
    columns_drifted: tuple[str, ...]
    signals: tuple[str, ...]
    alarms: tuple[str, ...]
    revision: int
    report: str  # address of our page
    run_id: str
    experiment_id: str
    already: bool  # another run reported this very content before


@dataclass(frozen=True)
class ReportContext:
    """Where the reports of a use case come from and go to."""

    client: MlflowClient
    experiment_id: str
    tables: Tables
    use_case: UseCase  # of today
    say: Callable[[str], None]


def monitor(
    use_case: UseCase,
    settings: Settings,
    asked: WindowRequest,
    version: str = "",
    say: Callable[[str], None] = lambda line: None,
    now: datetime | None = None,
) -> tuple[Monitored, ...]:
    """Report on a window, once for each content and version; the champion's report comes first.

    `version` empty: all versions that answered in the window, or the champion where none did. `now`
    (with its zone) tells which windows have ended and which times are still to come.
    Unavailable when MLflow is away, Busy when another run does not end.
    """
    client = connect(settings)
    champion = champion_version(client, use_case.name)
    tables = Tables(settings.table_root, use_case.name)
    # Two runs on one window at once: the second waits here, then finds the report of the first.
    with alone(settings, f"{use_case.name}.monitor", PATIENCE_S), asking():
        window = resolve(asked, tables, use_case, now or datetime.now(UTC))
        if window.newer:
            say(f"not judged unless asked for by --from and --until: {window.newer}")
        served = [version] if version else served_versions(tables, window) or [champion]
        if served == [""]:
            raise BadInput(
                f"{use_case.name!r} has no version in Production, and none answered in the window."
            )
        where = monitoring_experiment(client, settings, use_case.name)
        desk = ReportContext(client, where, tables, use_case, say)
        ordered = sorted(served, key=lambda v: v != champion)
        return tuple(_report(desk, window, read_served(client, use_case, v)) for v in ordered)


def _report(desk: ReportContext, window: Window, served: ServedModel) -> Monitored:
    use_case, reference, version = served.use_case, served.reference, served.version
    reader = WindowReader(desk.tables, use_case, window, version)
    schema = reader.schema_problems()
    unseen = {*schema, *altered(use_case)}  # what the log hides on purpose is no finding
    features = [name for name in use_case.features if name not in unseen]
    frozen, score = None, None
    if reference:
        frozen = frozen_columns(reference, use_case)
        score = score_index(use_case, classes_of(reference.holdout.answers, use_case))
    desk.say(f"{use_case.name} version {version}, {window.title}: counting every row")
    counted = count_window(reader, features, frozen, score)
    sample = reader.sample(features, counted.rows, ANSWER_ROWS)
    labels_until = sample.answers["label_time"].max()
    history = read_history(desk.client, desk.experiment_id, version)
    title = _title(window, counted)
    start, end = window.start or counted.first, window.end or counted.last
    past = history.before(start, use_case.monitoring, desk.say)
    content = _content(use_case, version, title, counted, sample, past)
    if known := _known(desk, history, content):
        return known
    desk.say(f"judging {counted.rows:,} rows")
    judged = judge(counted, sample, reference, frozen, schema, past, use_case)
    as_html = history.is_newest(end) or bool(judged.verdict.signals)
    drawn = EvidentlyPages({}, 0, {})
    if reference and judged.verdict.state not in UNJUDGED:
        desk.say("drawing Evidently's pages")
        drawn = draw(sample, reference, use_case, as_html)
    report = WindowReport(
        use_case.name,
        version,
        title,
        start,
        end,
        counted.rows,
        judged,
        len(history.revisions(title)) + 1,
        drawn.rows,
        drawn.left_out,
        None if pd.isna(labels_until) else labels_until,
    )
    run_id = publish(
        desk.client, desk.experiment_id, report, content, drawn.pages, history, served.registered
    )
    return _monitored(desk.client.get_run(run_id), already=False)


def _known(desk: ReportContext, history: ReportHistory, content: str) -> Monitored | None:
    """The report that was made of this content; none where it can't be read."""
    run = history.same(content)
    try:
        return _monitored(run, already=True) if run else None
    except UnreadableArtifact as error:
        desk.say(f"reported again: {error}")
        return None


def _title(window: Window, counted: WindowCounts) -> str:
    """The window's name; one that moves with the table is named by its moments too."""
    if window.start or window.end or counted.first is None or counted.last is None:
        return window.title
    return f"{window.title}, {counted.first:%Y-%m-%d %H:%M:%S} to {counted.last:%Y-%m-%d %H:%M:%S}"


def _content(
    use_case: UseCase,
    version: str,
    title: str,
    counted: WindowCounts,
    sample: Rows,
    past: list[PastVerdict],
) -> str:
    """What a report rests on, as a hash: the same again needs no second report."""
    return value_hash(
        [
            [use_case.name, version, title, counted.rows],
            use_case.monitoring.model_dump(mode="json"),
            [summary.counts.tolist() for _, _, summary in counted.columns.roles()],
            sample.answers["label"].astype(str).tolist(),
            [[sorted(p.signals), sorted(p.alarms)] for p in past],
        ]
    )


def _monitored(run: Run, already: bool) -> Monitored:
    found = read_document(run)
    verdict = found["verdict"]
    columns = [s.removeprefix("columns:") for s in verdict["signals"] if s.startswith("columns:")]
    return Monitored(
        status=verdict["state"],
        version=found["version"],
        window=found["window"],
        rows=found["rows"],
        reasons=tuple(verdict["reasons"]),
        columns_drifted=tuple(columns),
        signals=tuple(verdict["signals"]),
        alarms=tuple(verdict["alarms"]),
        revision=found["revision"],
        report=f"{run.info.artifact_uri}/{PAGE_FILE}",
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        already=already,
    )
