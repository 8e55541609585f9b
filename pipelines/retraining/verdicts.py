"""What monitoring has decided about the champion, and what earlier retrainings left behind."""

from dataclasses import replace
from datetime import datetime
from typing import cast

from mlflow.entities import Run

from monitoring.report.history import read_document, read_history, read_verdict
from monitoring.verdict.evidence import UNJUDGED, DriftVerdict, State
from monitoring.windows.versions import monitoring_experiment
from pipelines.registry.description import PENDING
from pipelines.registry.versions import Version, challenger_of
from pipelines.retraining.policy import ReportedWindow, RetrainHistory, counting
from pipelines.runtime.workspace import Workspace
from tracking.tags import (
    APPROVAL_TAG,
    LABELLED_TAG,
    LABELS_UNTIL_TAG,
    RETRAINED_AS_OF_TAG,
    RETRAINED_VERSION_TAG,
    STEP_TAG,
    VERDICT_TAG,
    WINDOW_END_TAG,
    WINDOW_TAG,
)


def read_windows(workspace: Workspace, champion: Version, now: datetime) -> list[ReportedWindow]:
    """Each judged window of the champion with the newest report that is known by now.

    The verdict is read whole where it still counts; of the others its tags tell enough.
    """
    where = monitoring_experiment(workspace.client, workspace.settings, workspace.use_case.name)
    newest: dict[str, Run] = {}
    candidates: dict[str, str] = {}
    for run in read_history(workspace.client, where, champion.version).runs:
        tags = run.data.tags
        window = tags[WINDOW_TAG]
        if _is_known(run, now):
            newest.setdefault(window, run)
        candidates[window] = candidates.get(window) or tags.get(RETRAINED_VERSION_TAG, "")
    judged = [
        ReportedWindow(
            run_id=run.info.run_id,
            window=window,
            end=datetime.fromisoformat(run.data.tags[WINDOW_END_TAG]),
            verdict=_by_tags(run),
            candidate=candidates[window],
        )
        for window, run in newest.items()
        if run.data.tags[VERDICT_TAG] not in UNJUDGED and run.data.tags.get(WINDOW_END_TAG)
    ]
    counted = {w.window for w in counting(judged, workspace.use_case.monitoring)}
    return [
        replace(w, verdict=read_verdict(read_document(newest[w.window])))
        if w.window in counted
        else w
        for w in judged
    ]


def _by_tags(run: Run) -> DriftVerdict:
    """The verdict of a report as far as its tags tell, without its document."""
    tags = run.data.tags
    state = cast(State, tags[VERDICT_TAG])
    return DriftVerdict(state, (), labelled=tags.get(LABELLED_TAG) == "yes")


def _is_known(run: Run, now: datetime) -> bool:
    """Whether a report is known at a time: it was made by then, or could have been.

    A replay makes them later than its clock says, of a window and labels of that time.
    """
    if run.info.start_time <= now.timestamp() * 1000:
        return True
    needed = (run.data.tags.get(name) for name in (WINDOW_END_TAG, LABELS_UNTIL_TAG))
    return all(datetime.fromisoformat(time) <= now for time in needed if time)


def tag_report(workspace: Workspace, run_id: str, **tags: str) -> None:
    """Say on the report that called for a retraining what became of its call; "" is no report."""
    for name, text in tags.items() if run_id else ():
        workspace.client.set_tag(run_id, name, text)


def read_retrain_history(workspace: Workspace) -> RetrainHistory:
    """When the last retraining was made, and which challenger waits for approval."""
    return RetrainHistory(_last(workspace), _waiting(workspace))


def _waiting(workspace: Workspace) -> str:
    """The challenger that waits for approval: another candidate would archive it."""
    challenger = challenger_of(workspace)
    waits = challenger is not None and challenger.tags.get(APPROVAL_TAG) == PENDING
    return challenger.version if challenger and waits else ""


def _last(workspace: Workspace) -> datetime | None:
    """As of when the last retraining was made that came to its end."""
    runs = workspace.client.search_runs(
        [workspace.experiment_id],
        f"tags.{STEP_TAG} = 'retrain' and attributes.status = 'FINISHED'",
        max_results=1,
    )
    text = runs[0].data.tags.get(RETRAINED_AS_OF_TAG, "") if runs else ""
    return datetime.fromisoformat(text) if text else None
