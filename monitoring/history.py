"""What earlier reports said: found by their runs, read from their documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run

from contract.use_case import Monitoring
from monitoring.evidence import UNJUDGED, DriftVerdict, Past

VERDICT_FILE = "verdict.json"
CONTENT_TAG = "content"
STATE_TAG = "verdict"
LABELLED_TAG = "labelled"
VERSION_TAG = "model_version"
WINDOW_TAG = "window"
START_TAG = "window_start"
END_TAG = "window_end"
REVISION_TAG = "revision"
STEP_TAG = "step"
MAX_RUNS = 1000


@dataclass(frozen=True)
class History:
    """Finished reports on one version, the newest run first."""

    runs: tuple[Run, ...]

    def same(self, content: str) -> Run | None:
        """The report that was made of this very content."""
        return next((r for r in self.runs if r.data.tags.get(CONTENT_TAG) == content), None)

    def revisions(self, window: str) -> list[Run]:
        """Reports on a window, the newest first."""
        return [r for r in self.runs if r.data.tags.get(WINDOW_TAG) == window]

    def before(self, start: datetime | None, policy: Monitoring) -> list[Past]:
        """What the last windows said that end where this one starts, or earlier; newest last.

        Of each window its newest revision counts. Windows that could not be judged say nothing.
        """
        if start is None:
            return []
        newest: dict[str, Run] = {}
        for run in self.runs:
            newest.setdefault(run.data.tags.get(WINDOW_TAG, ""), run)
        ended = [
            (end, run)
            for run in newest.values()
            if (end := _moment(run, END_TAG)) is not None
            and end <= start
            and run.data.tags.get(STATE_TAG) not in UNJUDGED
        ]
        wanted = max(policy.of_last - 1, policy.cool_down)
        ended.sort(key=lambda pair: pair[0])
        return [_past(run) for _, run in ended[-wanted:]] if wanted else []

    def earlier(self, end: datetime | None) -> int:
        """How many windows end before this moment: the place of a window among all."""
        ends = {_moment(run, END_TAG) for run in self.runs}
        return sum(known is not None and end is not None and known < end for known in ends)

    def newest_judged(self, labelled: bool = False) -> Run | None:
        """The newest report on the latest window that was judged; by its labels too, if asked."""
        judged = [
            (end, run)
            for run in self.runs
            if (end := _moment(run, END_TAG)) is not None
            and run.data.tags.get(STATE_TAG) not in UNJUDGED
            and (not labelled or run.data.tags.get(LABELLED_TAG) == "yes")
        ]
        return max(judged, key=lambda pair: pair[0], default=(None, None))[1]

    def newest_end(self) -> datetime | None:
        """Where the latest window ends that was reported on."""
        ends = [end for run in self.runs if (end := _moment(run, END_TAG)) is not None]
        return max(ends, default=None)


def read_history(client: MlflowClient, experiment_id: str, version: str) -> History:
    """Finished reports on a version."""
    runs = client.search_runs(
        [experiment_id],
        f"tags.{STEP_TAG} = 'monitor' and tags.{VERSION_TAG} = '{version}' "
        "and attributes.status = 'FINISHED'",
        max_results=MAX_RUNS,
        order_by=["attributes.start_time DESC"],
    )
    return History(tuple(runs))


def read_document(run: Run) -> dict[str, Any]:
    """The document of a report."""
    found: dict[str, Any] = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{VERDICT_FILE}")
    return found


def read_verdict(document: Mapping[str, Any]) -> DriftVerdict:
    """The verdict in the document of a report."""
    found: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in document["verdict"].items()
    }
    return DriftVerdict(**found)


def _past(run: Run) -> Past:
    verdict = read_verdict(read_document(run))
    return Past(frozenset(verdict.signals), frozenset(verdict.alarms))


def _moment(run: Run, tag: str) -> datetime | None:
    text = run.data.tags.get(tag, "")
    return datetime.fromisoformat(text) if text else None
