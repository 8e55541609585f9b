"""One monitoring run: a window of each version that answered in it, judged and written down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Run

from contract.errors import BadInput
from contract.settings import Settings
from contract.store.locks import alone
from contract.store.rows.fingerprint import value_hash
from contract.store.sql import reread
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.measures.count import Each
from monitoring.measures.observe import ObservedWindow, observe
from monitoring.report.evidently_pages import NO_PAGES, EvidentlyPages, draw
from monitoring.report.figures import WindowReport
from monitoring.report.history import ReportHistory, UnreadableArtifact, read_document, read_history
from monitoring.report.publish import PAGE_FILE, publish
from monitoring.verdict.evidence import UNJUDGED, PastVerdict
from monitoring.verdict.judge import JudgedWindow, judge
from monitoring.windows.rows import served_versions
from monitoring.windows.versions import (
    ServedModel,
    asking,
    live_version,
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
    say: Callable[[str], None]
    each: Each | None


def monitor(
    use_case: UseCase,
    settings: Settings,
    request: WindowRequest,
    version: str = "",
    say: Callable[[str], None] = lambda line: None,
    now: datetime | None = None,
    each: Each | None = None,
) -> tuple[Monitored, ...]:
    """Report on a window, once for each content and version; the champion's report comes first.

    `version` empty: all versions that answered in the window, or the champion where none did. `now`
    (with its zone) tells which windows have ended and which times are still to come. `each` lets
    workers count the window's days, such as tasks of a cluster (`Crew.each` of an engine).
    Unavailable when MLflow is away, Busy when another run does not end.
    """
    client = connect(settings)
    tables = Tables(settings.table_root, use_case.name)
    champion = live_version(client, tables)
    # Two runs on one window at once: the second waits here, then finds the report of the first.
    with alone(settings, f"{use_case.name}.monitor", PATIENCE_S), asking():

        def reports() -> tuple[Monitored, ...]:
            window = resolve(request, tables, use_case, now or datetime.now(UTC))
            if window.newer:
                say(f"not judged unless asked for by --from and --until: {window.newer}")
            served = [version] if version else served_versions(tables, window) or [champion]
            if served == [""]:
                raise BadInput(
                    f"{use_case.name!r} has no version in Production, and none answered in the "
                    "window."
                )
            experiment_id = monitoring_experiment(client, settings, use_case.name)
            context = ReportContext(client, experiment_id, tables, say, each)
            ordered = sorted(served, key=lambda v: v != champion)
            models = (read_served(client, use_case, v) for v in ordered)
            return tuple(_report(context, window, served_model) for served_model in models)

        return reread(reports)  # a report that stands is found, not made twice


def _report(context: ReportContext, window: Window, served: ServedModel) -> Monitored:
    """One version's report on a window; made only where none of the same content stands."""
    use_case = served.use_case
    context.say(f"{use_case.name} version {served.version}, {window.title}: counting every row")
    observed = observe(context.tables, window, served, context.each)
    history = read_history(context.client, context.experiment_id, served.version)
    past = history.before(observed.start, use_case.monitoring, context.say)
    content = _content(observed, past)
    if earlier := _earlier(context, history.same(content)):
        return earlier
    context.say(f"judging {observed.counts.rows:,} rows")
    judged = judge(observed, past)
    report = WindowReport(
        observed=observed,
        judged=judged,
        evidently=_evidently(context, observed, judged, history),
        revision=len(history.revisions(observed.title)) + 1,
        content=content,
    )
    run_id = publish(context.client, context.experiment_id, report, history)
    return _monitored(context.client.get_run(run_id), already=False)


def _earlier(context: ReportContext, run: Run | None) -> Monitored | None:
    """The report of an earlier run; none where it can't be read."""
    try:
        return _monitored(run, already=True) if run else None
    except UnreadableArtifact as error:
        context.say(f"reported again: {error}")
        return None


def _evidently(
    context: ReportContext, observed: ObservedWindow, judged: JudgedWindow, history: ReportHistory
) -> EvidentlyPages:
    """Evidently's pages of a window that was judged; as HTML where somebody will look at it."""
    reference = observed.served.reference
    if reference is None or judged.verdict.state in UNJUDGED:
        return NO_PAGES
    context.say("drawing Evidently's pages")
    as_html = history.is_newest(observed.end) or bool(judged.verdict.signals)
    return draw(observed.sample, reference, observed.served.use_case, as_html)


def _content(observed: ObservedWindow, past: list[PastVerdict]) -> str:
    """What a report rests on, as a hash: the same again needs no second report."""
    served, counts = observed.served, observed.counts
    return value_hash(
        [
            [served.use_case.name, served.version, observed.title, counts.rows],
            served.use_case.monitoring.model_dump(mode="json"),
            [summary.counts.tolist() for _, _, summary in counts.columns.roles()],
            observed.sample.answers["label"].astype(str).tolist(),
            [[sorted(p.signals), sorted(p.alarms)] for p in past],
        ]
    )


def _monitored(run: Run, already: bool) -> Monitored:
    document = read_document(run)
    verdict = document["verdict"]
    columns = [s.removeprefix("columns:") for s in verdict["signals"] if s.startswith("columns:")]
    return Monitored(
        status=verdict["state"],
        version=document["version"],
        window=document["window"],
        rows=document["rows"],
        reasons=tuple(verdict["reasons"]),
        columns_drifted=tuple(columns),
        signals=tuple(verdict["signals"]),
        alarms=tuple(verdict["alarms"]),
        revision=document["revision"],
        report=f"{run.info.artifact_uri}/{PAGE_FILE}",
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
        already=already,
    )
