"""Package: one self-contained folder with all that serving and watching a model need.

An MLflow model that any MLflow client can load, the frozen use case, the reference, and a manifest
with the SHA-256 of every file, for artifacts have no digest of their own.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import mlflow
import yaml

from contract.names import REFERENCE_DIR, USE_CASE_FILE
from contract.use_case import UseCase
from pipelines import cli
from pipelines.step import Done, Result, Step, execute, latest_run, load_result
from pipelines.train import STEP as TRAIN
from pipelines.train import Trained
from pipelines.workspace import Workspace, open_workspace

MANIFEST_FILE = "manifest.json"
ARTIFACT = "model"
# MLflow writes this one anew for each registration.
NOT_SEALED = {MANIFEST_FILE, "registered_model_meta"}


class Packaged(Result):
    """Where the package is, and its digest: the SHA-256 of its manifest."""

    run_id: str
    source: str
    digest: str
    size_bytes: int

    def line(self) -> str:
        return f"{self.size_bytes / 1e6:.1f} MB, digest {self.digest[:12]}"


STEP = Step("package", Packaged, tuple(UseCase.model_fields))


def package(workspace: Workspace, trained: Trained) -> Done[Packaged]:
    """Build the package of a candidate."""
    inputs = {"train": trained.run_id, "prediction": trained.prediction_hash}
    return execute(workspace, STEP, lambda: _package(workspace, trained), inputs)


def _package(workspace: Workspace, trained: Trained) -> Packaged:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / ARTIFACT
        shutil.copytree(mlflow.artifacts.download_artifacts(trained.model_uri), folder)
        (folder / "registered_model_meta").unlink(missing_ok=True)
        reference = f"runs:/{trained.run_id}/{REFERENCE_DIR}"
        shutil.copytree(mlflow.artifacts.download_artifacts(reference), folder / REFERENCE_DIR)
        (folder / USE_CASE_FILE).write_text(frozen(workspace.use_case), encoding="utf-8")
        manifest = seal(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        mlflow.log_artifacts(str(folder), ARTIFACT)
    run = mlflow.active_run()
    if run is None:
        raise RuntimeError("a package is logged under an active run")
    return Packaged(
        run_id=run.info.run_id,
        source=f"{run.info.artifact_uri}/{ARTIFACT}",
        digest=manifest,
        size_bytes=size,
    )


def frozen(use_case: UseCase) -> str:
    """The use case as YAML that reads back as the same value."""
    plain = use_case.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def seal(folder: Path) -> str:
    """Write the manifest of a folder; the manifest's own SHA-256."""
    files = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in NOT_SEALED
    }
    text = json.dumps(files, indent=1, sort_keys=True)
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    train: cli.RunOption = "",
) -> None:
    """Package: build what serving needs from a trained candidate."""
    with open_workspace(use_case, root) as workspace:
        run_id = latest_run(workspace, TRAIN, train)
        package(workspace, load_result(workspace, TRAIN, run_id))


if __name__ == "__main__":
    cli.run(main)
