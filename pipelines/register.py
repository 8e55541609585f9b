"""Register: make a packaged candidate a version in Staging, with tags and its model card."""

from collections.abc import Mapping

import mlflow
import pyarrow.compute as pc

from pipelines.data.validated import Validated
from pipelines.evaluate import STEP as EVALUATE
from pipelines.model.model_card import LINEAGE_FILE, model_card
from pipelines.model.results import Evaluated, Trained
from pipelines.package import ARTIFACT, Packaged
from pipelines.package import STEP as PACKAGE
from pipelines.registry.move import move, request_of
from pipelines.registry.signatures import sign_version
from pipelines.registry.transitions import UNSTAGED
from pipelines.registry.versions import Version, create_version, find_version
from pipelines.runtime import cli
from pipelines.runtime.git_commit import commit
from pipelines.runtime.step import Done, Result, Step, execute, latest_run, load_result, lock_hash
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.validate import STEP as VALIDATE
from tracking.store import holds_files
from tracking.tags import (
    ACTOR_NOTE_TAG,
    ACTOR_TAG,
    COMPARED_WITH_TAG,
    ESTIMATOR_TAG,
    EVALUATE_RUN_TAG,
    EXPECTATIONS_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    LOCK_HASH_TAG,
    OWN_CLASS_TAG,
    PACKAGE_RUN_TAG,
    PACKAGE_TAG,
    PREDICTION_HASH_TAG,
    RETRAINED_WHY_TAG,
    TRAIN_RUN_TAG,
    TRAINED_BY_NOTE_TAG,
    TRAINED_BY_TAG,
    VERSION_TAG,
    table_tags,
)
from tracking.who import UNPROVEN


class Registered(Result):
    """The version a candidate became."""

    model: str
    version: str
    stage: str
    new: bool

    def line(self) -> str:
        what = "new" if self.new else "known already"
        return f"{self.model} version {self.version}, {self.stage} ({what})"


# Not reused by run but by what the registry says: a version that is there is never made again,
# whatever happened to the run that made it.
STEP = Step("register", Registered, cached=False)


def register(
    workspace: Workspace,
    validated: Validated,
    trained: Trained,
    evaluated: Evaluated,
    packaged: Packaged,
    because: Mapping[str, str] | None = None,
) -> Done[Registered]:
    """Register a candidate once; `because` are tags of its own that say why it was made."""
    return execute(
        workspace,
        STEP,
        lambda: _register(workspace, validated, trained, evaluated, packaged, because or {}),
    )


def _register(
    workspace: Workspace,
    validated: Validated,
    trained: Trained,
    evaluated: Evaluated,
    packaged: Packaged,
    because: Mapping[str, str],
) -> Registered:
    run = workspace.client.get_run(trained.run_id)
    tags = lineage(validated, trained, evaluated, packaged) | {
        TRAINED_BY_TAG: run.data.tags.get(ACTOR_TAG, UNPROVEN),
        TRAINED_BY_NOTE_TAG: run.data.tags.get(ACTOR_NOTE_TAG, ""),
        **because,
    }
    version = find_version(workspace, **{PACKAGE_TAG: packaged.digest})
    new = version is None or not holds_files(version.source)  # its artifacts were removed
    if version is None or new:
        period = period_of(workspace, trained)
        seen = (validated, trained, evaluated, tags, period)
        card = model_card(workspace.use_case, *seen, experiment_id=workspace.experiment_id)
        mlflow.log_text(card, "model_card.md")
        mlflow.log_dict(tags, LINEAGE_FILE)
        # Asked for again: a result that was logged before a move of the store knows the old place.
        logged = workspace.client.get_run(packaged.run_id).info.artifact_uri
        source = f"{logged}/{ARTIFACT}"
        version = create_version(workspace, source, packaged.run_id, card, tags)
    if version.stage == UNSTAGED:  # new, or a crash came between the version and its move
        why = f"trained in run {trained.run_id[:8]}, {evaluated.line()}"
        if cause := because.get(RETRAINED_WHY_TAG, "").rstrip("."):
            why = f"{cause}; {why}"
        sign_version(workspace, version)
        nominate(workspace, version, why)
        version = Version.read(workspace, version.version)
    mlflow.set_tag(VERSION_TAG, version.version)
    return Registered(
        model=workspace.model_name, version=version.version, stage=version.stage, new=new
    )


def period_of(workspace: Workspace, trained: Trained) -> str:
    """From which to which day the training rows are; "" where rows have no time."""
    time, table = workspace.use_case.event_time, trained.training
    if not time:
        return ""
    moments = workspace.tables.read(table.table, table.version, columns=[time]).column(time)
    ends = pc.min_max(moments).as_py()
    return f"{ends['min']:%Y-%m-%d} to {ends['max']:%Y-%m-%d}"


def nominate(workspace: Workspace, version: Version, why: str) -> None:
    """Make a version the challenger, in Staging."""
    move(workspace, request_of(workspace, "register", version, why))


def lineage(
    validated: Validated, trained: Trained, evaluated: Evaluated, packaged: Packaged
) -> dict[str, str]:
    """Tags of a version: everything that is needed to say where it came from."""
    revision, dirty = commit()
    return {
        GIT_COMMIT_TAG: revision,
        GIT_DIRTY_TAG: dirty,
        TRAIN_RUN_TAG: trained.run_id,
        EVALUATE_RUN_TAG: evaluated.run_id,
        PACKAGE_RUN_TAG: packaged.run_id,
        PACKAGE_TAG: packaged.digest,
        **table_tags("training", trained.training.version, trained.training.content_hash),
        **table_tags("holdout", trained.holdout.version, trained.holdout.content_hash),
        **table_tags("raw", validated.raw.version, validated.raw.content_hash),
        EXPECTATIONS_TAG: f"{validated.expectations_passed}/{validated.expectations_total}",
        PREDICTION_HASH_TAG: trained.prediction_hash,
        LOCK_HASH_TAG: lock_hash(),
        ESTIMATOR_TAG: trained.estimator,
        **({OWN_CLASS_TAG: trained.code_hash} if trained.code_hash else {}),
        COMPARED_WITH_TAG: evaluated.champion,
        evaluated.metric: f"{evaluated.figures[evaluated.metric].value:.4f}",
    }


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    validate: cli.RunOption = "",
    train: cli.RunOption = "",
    evaluate: cli.RunOption = "",
    package: cli.RunOption = "",
) -> None:
    """Register: make a packaged candidate a version in Staging, with its card."""
    with open_workspace(use_case, root) as workspace:
        register(
            workspace,
            load_result(workspace, VALIDATE, latest_run(workspace, VALIDATE, validate)),
            load_result(workspace, TRAIN, latest_run(workspace, TRAIN, train)),
            load_result(workspace, EVALUATE, latest_run(workspace, EVALUATE, evaluate)),
            load_result(workspace, PACKAGE, latest_run(workspace, PACKAGE, package)),
        )


if __name__ == "__main__":
    cli.run(main)
