"""What monitoring has said of the champion, for whoever acts on it."""

from dataclasses import replace
from datetime import datetime

from mlflow.entities import Run

from monitoring.evidence import UNJUDGED
from monitoring.history import (
    END_TAG,
    LABELLED_TAG,
    START_TAG,
    STATE_TAG,
    WINDOW_TAG,
    read_document,
    read_history,
)
from monitoring.served import monitoring_experiment
from pipelines.registry import Version
from pipelines.retraining import Verdict, counting
from pipelines.workspace import Workspace

CANDIDATE_TAG = "retrained_version"  # on a monitoring run: what was made because of it
RETRAINING_TAG = "retraining"  # on a monitoring run: what became of its call, in words


def read_verdicts(workspace: Workspace, champion: Version, now: datetime) -> list[Verdict]:
    """Of each judged window the newest report; signals are read where they count.

    Windows that begin after `now` are left out.
    """
    where = monitoring_experiment(workspace.client, workspace.settings, workspace.use_case.name)
    newest: dict[str, Run] = {}
    candidates: dict[str, str] = {}
    for run in read_history(workspace.client, where, champion.version).runs:
        tags = run.data.tags
        window = tags[WINDOW_TAG]
        newest.setdefault(window, run)
        candidates[window] = candidates.get(window) or tags.get(CANDIDATE_TAG, "")
    judged = [
        Verdict(
            run_id=run.info.run_id,
            window=window,
            end=datetime.fromisoformat(run.data.tags[END_TAG]),
            labelled=run.data.tags.get(LABELLED_TAG) == "yes",
            candidate=candidates[window],
        )
        for window, run in newest.items()
        if run.data.tags.get(STATE_TAG) not in UNJUDGED and _begun(run, now)
    ]
    counted = {v.window for v in counting(judged, workspace.use_case.monitoring)}
    return [
        replace(v, drifting=_drifting(newest[v.window])) if v.window in counted else v
        for v in judged
    ]


def _begun(run: Run, now: datetime) -> bool:
    start, end = run.data.tags.get(START_TAG), run.data.tags.get(END_TAG)
    return bool(start and end) and datetime.fromisoformat(str(start)) < now


def _drifting(run: Run) -> tuple[str, ...]:
    return tuple(read_document(run)["verdict"]["drifting"])


def tell(workspace: Workspace, run_id: str, **tags: str) -> None:
    """Say on the report that called for a retraining what became of its call; "" is no report."""
    for name, text in tags.items() if run_id else ():
        workspace.client.set_tag(run_id, name, text)
