"""Register: make a packaged candidate a version in Staging, with tags and its model card."""

from collections.abc import Mapping

import mlflow

from contract.store.package import PACKAGE_TAG
from pipelines.data.validated import Validated
from pipelines.evaluate import STEP as EVALUATE
from pipelines.model.model_card import model_card
from pipelines.model.results import Evaluated, Trained
from pipelines.package import STEP as PACKAGE
from pipelines.package import Packaged
from pipelines.registry.move import move
from pipelines.registry.transitions import UNSTAGED, MoveRequest
from pipelines.registry.versions import Version, create_version, find_version
from pipelines.retraining.policy import WHY_TAG
from pipelines.runtime import cli
from pipelines.runtime.git_commit import commit
from pipelines.runtime.step import (
    ACTOR_TAG,
    Done,
    Result,
    Step,
    execute,
    latest_run,
    load_result,
    lock_hash,
)
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.validate import STEP as VALIDATE

TRAINED_BY_TAG = "trained_by"


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
    trained_by = run.data.tags.get(ACTOR_TAG, run.data.tags.get("mlflow.user", ""))
    tags = lineage(validated, trained, evaluated, packaged) | {
        TRAINED_BY_TAG: trained_by,
        **because,
    }
    version = find_version(workspace, **{PACKAGE_TAG: packaged.digest})
    new = version is None
    if version is None:
        card = model_card(workspace.use_case, validated, trained, evaluated, tags)
        mlflow.log_text(card, "model_card.md")
        version = create_version(workspace, packaged.source, packaged.run_id, card, tags)
    if version.stage == UNSTAGED:  # new, or a crash came between the version and its move
        why = f"trained in run {trained.run_id[:8]}, {evaluated.line()}"
        if cause := because.get(WHY_TAG, "").rstrip("."):
            why = f"{cause}; {why}"
        nominate(workspace, version, why)
        version = Version.read(workspace, version.version)
    mlflow.set_tag("model_version", version.version)
    return Registered(
        model=workspace.model_name, version=version.version, stage=version.stage, new=new
    )


def nominate(workspace: Workspace, version: Version, why: str) -> None:
    """Make a version the challenger, in Staging."""
    data = f"training@{version.tags['training_version']}"
    ask = MoveRequest("register", version.version, workspace.settings.who, why, data_version=data)
    move(workspace, ask)


def lineage(
    validated: Validated, trained: Trained, evaluated: Evaluated, packaged: Packaged
) -> dict[str, str]:
    """Tags of a version: everything that is needed to say where it came from."""
    revision, dirty = commit()
    return {
        "git_commit": revision,
        "git_dirty": dirty,
        "train_run": trained.run_id,
        "evaluate_run": evaluated.run_id,
        "package_run": packaged.run_id,
        PACKAGE_TAG: packaged.digest,
        "training_version": str(trained.training.version),
        "training_hash": trained.training.content_hash,
        "holdout_version": str(trained.holdout.version),
        "holdout_hash": trained.holdout.content_hash,
        "raw_version": str(validated.raw.version),
        "raw_hash": validated.raw.content_hash,
        "expectations": f"{validated.expectations_passed}/{validated.expectations_total}",
        "prediction_hash": trained.prediction_hash,
        "lock_hash": lock_hash(),
        "estimator": trained.estimator,
        "compared_with": evaluated.champion,
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
