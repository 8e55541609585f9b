"""Write a report to MLflow: a run of its own, the version's timeline, and tags on the version."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from mlflow import MlflowClient
from mlflow.entities import Metric, RunStatus

from contract.markdown import in_view
from monitoring.report.figures import WindowReport, document, metrics
from monitoring.report.history import VERDICT_FILE, ReportHistory
from monitoring.report.report import markdown, page
from monitoring.report.timeline import newest_note, timeline_run
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
from tracking.trace import traced

PAGE_FILE = "verdict.html"
BATCH = 1000  # metrics that MLflow takes at once


def publish(
    client: MlflowClient, experiment_id: str, report: WindowReport, history: ReportHistory
) -> str:
    """Log a report, on the version's timeline and, where it is registered, on the version too.

    The id of its run, which ends last: a run that dies before leaves none that is FINISHED, so the
    next one does all of it again. Earlier revisions stay and say which one followed.
    """
    observed, verdict = report.observed, report.judged.verdict
    name = f"{verdict.state} · {observed.title} · version {observed.served.version}"
    name += f" · revision {report.revision}" if report.revision > 1 else ""
    with _run(client, experiment_id, name, _tags(report)) as run_id:
        client.log_dict(run_id, document(report), VERDICT_FILE)
        client.log_text(run_id, page(report), PAGE_FILE)
        for topic, drawn in report.evidently.pages.items():
            client.log_text(run_id, drawn.document, f"evidently/{topic}.json")
            if drawn.html:
                client.log_text(run_id, drawn.html, f"evidently/{topic}.html")
        _log(client, run_id, report, step=history.place(observed.end))
        for earlier in history.revisions(observed.title)[:1]:
            client.set_tag(earlier.info.run_id, FOLLOWED_BY_TAG, run_id)
        if observed.end is not None:
            _extend_timeline(client, experiment_id, run_id, report, history)
        if observed.served.registered and history.is_newest(observed.end):
            _tag_version(client, report, experiment_id, run_id)
    return run_id


def _tags(report: WindowReport) -> dict[str, str]:
    """What later runs find the report by, and its description."""
    observed, verdict = report.observed, report.judged.verdict
    labels_until = observed.labels_until
    return {
        STEP_TAG: "monitor",
        USE_CASE_TAG: observed.served.use_case.name,
        VERSION_TAG: observed.served.version,
        WINDOW_TAG: observed.title,
        WINDOW_START_TAG: observed.start.isoformat() if observed.start else "",
        WINDOW_END_TAG: observed.end.isoformat() if observed.end else "",
        REVISION_TAG: str(report.revision),
        CONTENT_TAG: report.content,
        VERDICT_TAG: verdict.state,
        LABELLED_TAG: "yes" if verdict.labelled else "no",
        LABELS_UNTIL_TAG: labels_until.isoformat() if labels_until else "",
        NOTE_TAG: markdown(report),
    }


def _extend_timeline(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    report: WindowReport,
    history: ReportHistory,
) -> None:
    """Add the report's figures to the one long run of its version. What stands there stays once."""
    observed = report.observed
    served, verdict = observed.served, report.judged.verdict
    timeline = timeline_run(client, experiment_id, served.use_case.name, served.version)
    _log(client, timeline, report, step=history.place(observed.end))
    if history.is_newest(observed.end):
        note = newest_note(
            served.version, verdict.state, observed.title, verdict.reasons, run_id, experiment_id
        )
        client.set_tag(timeline, NOTE_TAG, note)


def _tag_version(
    client: MlflowClient, report: WindowReport, experiment_id: str, run_id: str
) -> None:
    """Say on the model version what its newest window said, and where."""
    served, verdict = report.observed.served, report.judged.verdict
    tags = {
        MONITORING_TAG: verdict.state,
        MONITORING_WINDOW_TAG: report.observed.title,
        MONITORING_REASON_TAG: verdict.reasons[0],
        MONITORING_REPORT_TAG: link(experiment_id, run_id),
    }
    for key, value in tags.items():
        client.set_model_version_tag(served.use_case.name, served.version, key, value)


def link(experiment_id: str, run_id: str) -> str:
    """Where a run stands in MLflow's user interface, in the view for models of this kind."""
    return f"/{in_view(f'experiments/{experiment_id}/runs/{run_id}')}"


def _log(client: MlflowClient, run_id: str, report: WindowReport, step: int) -> None:
    at = int((report.observed.end or datetime.now(UTC)).timestamp() * 1000)
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
        with traced(client, run.info.run_id):
            yield str(run.info.run_id)
    except BaseException:
        client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FAILED))
        raise
    client.set_terminated(run.info.run_id)
