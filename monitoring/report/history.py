"""What earlier reports say: listed by their runs, read from their documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run

from contract.errors import FourcycleError
from contract.use_case.sections.monitoring import Monitoring
from monitoring.verdict.evidence import UNJUDGED, DriftVerdict, PastVerdict
from monitoring.windows.declared import Span, apart
from tracking.tags import (
    CONTENT_TAG,
    LABELLED_TAG,
    STEP_TAG,
    VERDICT_TAG,
    VERSION_TAG,
    WINDOW_END_TAG,
    WINDOW_START_TAG,
    WINDOW_TAG,
    of_machine,
)

VERDICT_FILE = "verdict.json"
MAX_RUNS = 1000


class UnreadableArtifact(FourcycleError):
    """An artifact of a run is gone or damaged."""


@dataclass(frozen=True)
class ReportHistory:
    """Finished reports on one version, the newest run first."""

    runs: tuple[Run, ...]

    def same(self, content: str) -> Run | None:
        """The report that was made of this very content."""
        return next((r for r in self.runs if of_machine(r.data.tags, CONTENT_TAG) == content), None)

    def revisions(self, window: str) -> list[Run]:
        """Reports on a window, the newest first."""
        return [r for r in self.runs if r.data.tags.get(WINDOW_TAG) == window]

    def before(
        self, start: datetime | None, policy: Monitoring, say: Callable[[str], None]
    ) -> list[PastVerdict]:
        """What the last windows said that end where this one starts, or earlier; newest last.

        Of each window its newest revision counts, and of windows that overlap one. Those that could
        not be judged say nothing; neither do reports that can't be read, which `say` reports.
        """
        newest: dict[Span, Run] = {}
        for run in self.runs:
            span = _moment(run, WINDOW_START_TAG), _moment(run, WINDOW_END_TAG)
            if span[0] and span[1] and start and span[1] <= start:
                newest.setdefault((span[0], span[1]), run)
        ended = [s for s, run in newest.items() if run.data.tags.get(VERDICT_TAG) not in UNJUDGED]
        verdicts: list[PastVerdict] = []
        for span in reversed(apart(ended, policy.every)):
            if len(verdicts) == max(policy.of_last - 1, policy.cool_down):
                break
            try:
                verdicts.append(_past(newest[span]))
            except UnreadableArtifact as error:
                say(f"a past window is left out: {error}")
        return verdicts[::-1]

    def place(self, end: datetime | None) -> int:
        """The place among all windows of the one that ends at this moment, from 1 on: MLflow draws
        a figure that has steps as a line, and one of step 0 alone as a bar for each run."""
        ends = {_moment(run, WINDOW_END_TAG) for run in self.runs}
        return 1 + sum(other is not None and end is not None and other < end for other in ends)

    def newest_judged(self, labelled: bool = False) -> Run | None:
        """The newest report on the latest window that was judged; by its labels too, if asked."""
        judged = [
            (end, run)
            for run in self.runs
            if (end := _moment(run, WINDOW_END_TAG)) is not None
            and run.data.tags.get(VERDICT_TAG) not in UNJUDGED
            and (not labelled or run.data.tags.get(LABELLED_TAG) == "yes")
        ]
        return max(judged, key=lambda pair: pair[0], default=(None, None))[1]

    def is_newest(self, end: datetime | None) -> bool:
        """Whether no window was reported on that ends after this moment."""
        ends = [other for run in self.runs if (other := _moment(run, WINDOW_END_TAG)) is not None]
        return not ends or (end is not None and end >= max(ends))


def read_history(client: MlflowClient, experiment_id: str, version: str) -> ReportHistory:
    """Finished reports on a version."""
    runs = client.search_runs(
        [experiment_id],
        f"tags.{STEP_TAG} = 'monitor' and tags.{VERSION_TAG} = '{version}' "
        "and attributes.status = 'FINISHED'",
        max_results=MAX_RUNS,
        order_by=["attributes.start_time DESC"],
    )
    return ReportHistory(tuple(runs))


def read_document(run: Run) -> dict[str, Any]:
    """The document of a report; UnreadableArtifact where it can't be read."""
    return read_artifact(run, VERDICT_FILE)


def read_artifact(run: Run, file: str) -> dict[str, Any]:
    """A JSON document of a run; UnreadableArtifact where it can't be read."""
    try:
        document: dict[str, Any] = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{file}")
    except Exception as error:  # every artifact store has errors of its own
        problem = f"{file} of run {run.info.run_id} can't be read ({type(error).__name__})"
        raise UnreadableArtifact(f"{problem}; restore it, or delete the run.") from error
    return document


def read_verdict(document: Mapping[str, Any]) -> DriftVerdict:
    """The verdict in the document of a report."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in document["verdict"].items()
    }
    return DriftVerdict(**values)


def _past(run: Run) -> PastVerdict:
    verdict = read_verdict(read_document(run))
    return PastVerdict(frozenset(verdict.signals), frozenset(verdict.alarms))


def _moment(run: Run, tag: str) -> datetime | None:
    text = run.data.tags.get(tag, "")
    return datetime.fromisoformat(text) if text else None
