"""What monitoring has said of the champion, for whoever acts on it."""

from dataclasses import replace
from datetime import datetime

from mlflow.entities import Run

from monitoring.report.history import (
    END_TAG,
    LABELLED_TAG,
    LABELS_UNTIL_TAG,
    STATE_TAG,
    WINDOW_TAG,
    read_document,
    read_history,
)
from monitoring.verdict.evidence import UNJUDGED
from monitoring.windows.versions import monitoring_experiment
from pipelines.registry.versions import Version
from pipelines.retraining.policy import MonitoringVerdict, counting
from pipelines.runtime.workspace import Workspace

CANDIDATE_TAG = "retrained_version"  # on a monitoring run: what was made because of it
RETRAINING_TAG = "retraining"  # on a monitoring run: what became of its call, in words


def read_verdicts(
    workspace: Workspace, champion: Version, now: datetime
) -> list[MonitoringVerdict]:
    """Of each judged window the newest report that is known by now; signals where they count."""
    where = monitoring_experiment(workspace.client, workspace.settings, workspace.use_case.name)
    newest: dict[str, Run] = {}
    candidates: dict[str, str] = {}
    for run in read_history(workspace.client, where, champion.version).runs:
        tags = run.data.tags
        window = tags[WINDOW_TAG]
        if _known(run, now):
            newest.setdefault(window, run)
        candidates[window] = candidates.get(window) or tags.get(CANDIDATE_TAG, "")
    judged = [
        MonitoringVerdict(
            run_id=run.info.run_id,
            window=window,
            end=datetime.fromisoformat(run.data.tags[END_TAG]),
            labelled=run.data.tags.get(LABELLED_TAG) == "yes",
            candidate=candidates[window],
        )
        for window, run in newest.items()
        if run.data.tags.get(STATE_TAG) not in UNJUDGED and run.data.tags.get(END_TAG)
    ]
    counted = {v.window for v in counting(judged, workspace.use_case.monitoring)}
    return [
        replace(v, drifting=_drifting(newest[v.window])) if v.window in counted else v
        for v in judged
    ]


def _known(run: Run, now: datetime) -> bool:
    """Whether a report is known at a time: it was made by then, or could have been.

    A replay makes them later than its clock says, of a window and labels of that time.
    """
    if run.info.start_time <= now.timestamp() * 1000:
        return True
    needed = (run.data.tags.get(name) for name in (END_TAG, LABELS_UNTIL_TAG))
    return all(datetime.fromisoformat(time) <= now for time in needed if time)


def _drifting(run: Run) -> tuple[str, ...]:
    return tuple(read_document(run)["verdict"]["drifting"])


def tell(workspace: Workspace, run_id: str, **tags: str) -> None:
    """Say on the report that called for a retraining what became of its call; "" is no report."""
    for name, text in tags.items() if run_id else ():
        workspace.client.set_tag(run_id, name, text)
