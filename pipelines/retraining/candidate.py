"""The candidate of a retraining: labelled answers join the data, then the pipeline of `main`.

What called for it stands on the run and the version, and the version on what called for it.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import mlflow

from contract.errors import Refused
from contract.markdown import plain
from contract.names import TableName
from contract.store.tables import TableVersion
from contract.use_case.model import UseCase
from monitoring.report.publish import link
from pipelines.data.days import with_windows
from pipelines.data.raw_table import raw_schema
from pipelines.ingest import ingest_labelled
from pipelines.main import Outcome, after_ingest
from pipelines.registry.versions import Version
from pipelines.retraining.label_checks import ChampionTables
from pipelines.retraining.policy import (
    LABELS_TAG,
    WHY_TAG,
    LabelledAnswers,
    RetrainDecision,
    calling,
)
from pipelines.retraining.verdicts import CANDIDATE_TAG, RETRAINING_TAG, tell
from pipelines.runtime.step import load_result, step_run
from pipelines.runtime.workspace import Workspace
from pipelines.train import STEP as TRAIN
from pipelines.training_set import training_set

AS_OF_TAG = "retrained_as_of"
BY_HAND = "by hand"


@dataclass(frozen=True)
class RetrainRequest:
    """A decision to retrain, on which labels, as of when."""

    decision: RetrainDecision
    labels: LabelledAnswers
    now: datetime

    @property
    def cause(self) -> str:
        """The run of the report that called; "" where a person did."""
        return self.decision.cause.run_id if self.decision.cause else ""


@dataclass(frozen=True)
class CandidateMade:
    """The run of a retraining and what its pipeline did."""

    run_id: str
    outcome: Outcome


def seen_by(workspace: Workspace, champion: Version) -> ChampionTables:
    """The tables that the champion learned from and was measured on.

    Refused where the use case has changed since: a retraining adds rows, it adds no columns.
    """
    if not workspace.tables.schema("raw").equals(raw_schema(workspace.use_case)):
        raise Refused(
            f"{workspace.use_case.name!r} declares other columns than those of its table raw; "
            "main makes a version of them first."
        )

    def of(name: TableName) -> TableVersion:
        tags = champion.tags
        if f"{name}_version" not in tags:
            raise Refused(f"Version {champion.version} does not say which {name} table it is of.")
        version, total = int(tags[f"{name}_version"]), tags[f"{name}_hash"]
        key = workspace.use_case.keys[0]
        rows = workspace.tables.read(name, version, columns=[key]).num_rows
        return TableVersion(name, version, rows, total)

    return ChampionTables(of("training"), of("holdout"))


def make_candidate(
    workspace: Workspace, champion: Version, seen: ChampionTables, call: RetrainRequest
) -> CandidateMade:
    """Run the pipeline on the extended data, as far as gate and approval let it go.

    The report that called is told last: a crash before leaves its call open.
    """
    changed = replace(workspace, use_case=_changed(workspace, champion, call.labels))
    start, end = str(call.labels.start), str(call.labels.end)
    with step_run(changed, "retrain") as run:
        because = _because(workspace.use_case, call)
        mlflow.set_tags(because)
        tell(workspace, call.cause, **{RETRAINING_TAG: f"begun in run {run.info.run_id}"})
        counted = training_set(changed, start, end, call.now, call.labels.read)
        labelled = counted.result.labelled
        because |= {
            "labelled_version": str(labelled.version),
            "labelled_hash": labelled.content_hash,
        }
        outcome = after_ingest(
            changed,
            ingest_labelled(changed, labelled),
            among=(seen.training, seen.holdout, labelled),
            because=because,
        )
        _tell(workspace, call, outcome)
    return CandidateMade(str(run.info.run_id), outcome)


def _changed(workspace: Workspace, champion: Version, labels: LabelledAnswers) -> UseCase:
    """The use case with the split moved to the window that is held out.

    A split that is not by time needs no moving: every row stays on its side by its key. What the
    champion's parameters were tuned to stays, for a retraining tunes nothing.
    """
    use_case = workspace.use_case
    if labels.holdout is not None:
        start, end = str(labels.holdout.start), str(labels.holdout.end)
        use_case = with_windows(use_case, "", start, end)
    trained = load_result(workspace, TRAIN, champion.train_run)
    if not trained.tune or trained.estimator != use_case.estimator.path.rpartition(".")[2]:
        return use_case
    tuned = use_case.estimator.model_copy(update={"parameters": trained.parameters})
    return use_case.model_copy(update={"estimator": tuned})


def as_of_text(now: datetime) -> str:
    """How a version says as of when it was made, in UTC."""
    return now.astimezone(UTC).isoformat(timespec="seconds")


def _because(use_case: UseCase, call: RetrainRequest) -> dict[str, str]:
    """Tags of run and version that say why it was made."""
    found = {
        "retrained_because": call.cause or BY_HAND,
        WHY_TAG: " ".join(call.decision.reasons),
        LABELS_TAG: f"{call.labels.start} to {call.labels.end}",
        AS_OF_TAG: as_of_text(call.now),
    }
    if cause := call.decision.cause:
        found["retrained_window"] = cause.window
        found["retrained_signals"] = ", ".join(calling(cause, use_case.monitoring))
    return found


def _tell(workspace: Workspace, call: RetrainRequest, outcome: Outcome) -> None:
    version = outcome.registered.version
    reasons = plain(" ".join(call.decision.reasons))
    if call.cause:
        where = workspace.client.get_run(call.cause).info.experiment_id
        reasons += f" [The report]({link(where, call.cause)})"
    lines = (reasons, plain(outcome.conclusion), plain(outcome.evaluated.line()))
    mlflow.set_tag("mlflow.note.content", "\n\n".join(lines))
    became = f"version {version}: {outcome.conclusion}"
    tell(workspace, call.cause, **{RETRAINING_TAG: became, CANDIDATE_TAG: version})
