"""Write a report to MLflow: a run of its own, the version's timeline, and tags on the version."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Metric, RunStatus

from monitoring.report.evidently_pages import EvidentlyPage
from monitoring.report.figures import WindowReport, document, metrics
from monitoring.report.history import VERDICT_FILE, ReportHistory
from monitoring.report.report import markdown, page
from tracking.tags import (
    CONTENT_TAG,
    FOLLOWED_BY_TAG,
    LABELLED_TAG,
    LABELS_UNTIL_TAG,
    MONITORING_REASON_TAG,
    MONITORING_REPORT_TAG,
    MONITORING_TAG,
    MONITORING_WINDOW_TAG,
    NOTE_TAG,
    REVISION_TAG,
    STEP_TAG,
    USE_CASE_TAG,
    VERDICT_TAG,
    VERSION_TAG,
    WINDOW_END_TAG,
    WINDOW_START_TAG,
    WINDOW_TAG,
)

PAGE_FILE = "verdict.html"
BATCH = 1000  # metrics that MLflow takes at once
STAMPED = "figures carry the window's end as their time: choose Time (wall) as the x-axis"


def publish(
    client: MlflowClient,
    experiment_id: str,
    report: WindowReport,
    content: str,
    pages: Mapping[str, EvidentlyPage],
    history: ReportHistory,
    registered: bool,
) -> str:
    """Log a report, on the version's timeline and, where it is registered, on the version too.

    The id of its run, which ends last: a run that dies before leaves none that is FINISHED, so the
    next one does all of it again. Earlier revisions stay and say which one followed.
    """
    verdict = report.judged.verdict
    tags = {
        STEP_TAG: "monitor",
        USE_CASE_TAG: report.use_case,
        VERSION_TAG: report.version,
        WINDOW_TAG: report.window,
        WINDOW_START_TAG: report.start.isoformat() if report.start else "",
        WINDOW_END_TAG: report.end.isoformat() if report.end else "",
        REVISION_TAG: str(report.revision),
        CONTENT_TAG: content,
        VERDICT_TAG: verdict.state,
        LABELLED_TAG: "yes" if verdict.labelled else "no",
        LABELS_UNTIL_TAG: report.labels_until.isoformat() if report.labels_until else "",
        NOTE_TAG: markdown(report),
    }
    named = f"{verdict.state} · {report.window} · version {report.version}"
    named += f" · revision {report.revision}" if report.revision > 1 else ""
    with _run(client, experiment_id, named, tags) as run_id:
        client.log_dict(run_id, document(report), VERDICT_FILE)
        client.log_text(run_id, page(report), PAGE_FILE)
        for name, found in pages.items():
            client.log_text(run_id, found.document, f"evidently/{name}.json")
            if found.html:
                client.log_text(run_id, found.html, f"evidently/{name}.html")
        _log(client, run_id, report, step=0)
        for earlier in history.revisions(report.window)[:1]:
            client.set_tag(earlier.info.run_id, FOLLOWED_BY_TAG, run_id)
        if report.end is not None:
            _extend_timeline(client, experiment_id, report, history)
        if registered and history.is_newest(report.end):
            _tag_version(client, report, experiment_id, run_id)
    return run_id


def _extend_timeline(
    client: MlflowClient, experiment_id: str, report: WindowReport, history: ReportHistory
) -> None:
    """Add the report's figures to the one long run of its version. What stands there stays once."""
    found = client.search_runs(
        [experiment_id],
        f"tags.{STEP_TAG} = 'timeline' and tags.{VERSION_TAG} = '{report.version}'",
        max_results=1,
    )
    if found:
        run_id = str(found[0].info.run_id)
    else:
        tags = {
            STEP_TAG: "timeline",
            USE_CASE_TAG: report.use_case,
            VERSION_TAG: report.version,
            NOTE_TAG: f"All windows of version {report.version} in one run; {STAMPED}.",
        }
        with _run(client, experiment_id, f"timeline · version {report.version}", tags) as run_id:
            pass
    _log(client, run_id, report, step=history.earlier(report.end))


def _tag_version(
    client: MlflowClient, report: WindowReport, experiment_id: str, run_id: str
) -> None:
    """Say on the model version what its newest window said, and where."""
    verdict = report.judged.verdict
    tags = {
        MONITORING_TAG: verdict.state,
        MONITORING_WINDOW_TAG: report.window,
        MONITORING_REASON_TAG: verdict.reasons[0],
        MONITORING_REPORT_TAG: link(experiment_id, run_id),
    }
    for key, value in tags.items():
        client.set_model_version_tag(report.use_case, report.version, key, value)


def link(experiment_id: str, run_id: str) -> str:
    """Where a run stands in MLflow's user interface, in the view for models of this kind."""
    return f"/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def _log(client: MlflowClient, run_id: str, report: WindowReport, step: int) -> None:
    at = int((report.end or datetime.now(UTC)).timestamp() * 1000)
    figures = [Metric(name, value, at, step) for name, value in metrics(report).items()]
    for start in range(0, len(figures), BATCH):
        client.log_batch(run_id, metrics=figures[start : start + BATCH])


@contextmanager
def _run(
    client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str]
) -> Iterator[str]:
    """A run that ends as FINISHED, or FAILED when the work in it does."""
    run = client.create_run(experiment_id, int(time.time() * 1000), dict(tags), name)
    try:
        yield str(run.info.run_id)
    except BaseException:
        client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FAILED))
        raise
    client.set_terminated(run.info.run_id)
