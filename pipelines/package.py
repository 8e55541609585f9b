"""Package: one self-contained folder with all that serving and watching a model need.

An MLflow model that any MLflow client can load, the frozen use case, the compiled scorer with the
proof that it answers like the model, the reference, and a manifest with the SHA-256 of every file,
for artifacts have no digest of their own.

The reference is frozen here and not by the training: its answers are those of the scorer that will
serve. The pipeline's are off in the last digits, which moves them across the bounds of cells.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from contract.names import REFERENCE_DIR, SCORER_DIR, USE_CASE_FILE
from contract.package import MANIFEST_FILE, NOT_SEALED
from contract.statistics.metrics import metric_values
from contract.store.frames import feature_frame
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import of_persons
from monitoring.windows import reference
from pipelines.model.fitted import answers, labels, load_model
from pipelines.model.results import Trained
from pipelines.runtime import cli
from pipelines.runtime.console import count, working
from pipelines.runtime.step import Done, Result, Step, execute, latest_run, load_result
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.train import read_rows
from serving.scoring.scorer import Scorer, deriving, load_scorer
from serving.scoring.sklearn_scorer import pipeline_scorer
from serving.scoring.version import PARITY_FILE
from tracking.tags import SCORER_TAG

ARTIFACT = "model"
SEED = 0
# Of the holdout in the reference: what monitoring compares with needs no more, and a package
# travels to every service.
HOLDOUT_ROWS = 50_000
HOLDOUT_CELLS = 2_000_000  # rows times features and answers: 16 MB


class Packaged(Result):
    """Where the package is, and its digest: the SHA-256 of its manifest.

    `not_compiled` says why no compiled scorer is in it; "" where one is.
    """

    run_id: str
    digest: str
    size_bytes: int
    not_compiled: str

    def line(self) -> str:
        size = f"{self.size_bytes / 1e6:.1f} MB, digest {self.digest[:12]}"
        return f"{size}; {self.not_compiled or 'compiled, with proof'}"

    def artifacts(self) -> tuple[str, ...]:
        return (f"runs:/{self.run_id}/{ARTIFACT}",)


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
        (folder / USE_CASE_FILE).write_text(frozen(workspace.use_case), encoding="utf-8")
        holdout = read_rows(workspace.tables, workspace.use_case, trained.holdout)
        scorer, not_compiled = _add_scorer(folder / SCORER_DIR, workspace, trained, holdout)
        training = read_rows(workspace.tables, workspace.use_case, trained.training)
        add_reference(folder / REFERENCE_DIR, workspace.use_case, training, holdout, scorer)
        manifest = seal(folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        mlflow.log_artifacts(str(folder), ARTIFACT)
    run = mlflow.active_run()
    assert run is not None, "a package is logged under an active run"
    return Packaged(
        run_id=run.info.run_id,
        digest=manifest,
        size_bytes=size,
        not_compiled=not_compiled,
    )


def _add_scorer(
    folder: Path, workspace: Workspace, trained: Trained, holdout: pa.Table
) -> tuple[Scorer, str]:
    """Compile, prove and write the scorer; what answers, and why that is the pipeline ("": not).

    A version without one is registered all the same: the release check refuses it by this reason.
    """
    from pipelines.compiler.compile import (
        write_scorer,  # treelite and onnx, which a reused step never needs
    )

    own, use_case = trained.own_class, workspace.use_case
    model = load_model(trained.model_uri, own, workspace.code_folder)
    with working(f"compiling, and proving it on {count(holdout.num_rows)} holdout rows"):
        written = write_scorer(folder, model, use_case, holdout, own)
    if written.parity is not None:
        mlflow.log_metrics(written.parity.figures())
        mlflow.log_dict(written.parity.record(), f"{SCORER_DIR}/{PARITY_FILE}")
    mlflow.set_tag(SCORER_TAG, written.not_compiled or "compiled")
    if written.not_compiled:
        return deriving(pipeline_scorer(model, use_case), use_case), written.not_compiled
    return deriving(load_scorer(folder), use_case), ""


def add_reference(
    folder: Path, use_case: UseCase, training: pa.Table, holdout: pa.Table, scorer: Scorer
) -> None:
    """Freeze what monitoring compares with: a sample of training inputs, one of the holdout's rows.

    In-sample predictions flatter, so predictions and figures are the holdout's; figures are of all
    its rows, whatever is kept. What the log hides can't be compared, and no person's data
    travel with a package: such columns are left out.
    """
    inputs = reference_inputs(use_case, feature_frame(training, use_case))
    scored = answers(scorer, holdout, labels(holdout, use_case))
    frame = pd.DataFrame({"label": scored.label, "prediction": scored.prediction})
    if scored.probability is not None:
        for i, name in enumerate(scored.classes):
            frame[f"{reference.PROBABILITY}{name}"] = scored.probability[:, i]
    features = _watched(use_case, feature_frame(holdout, use_case))
    kept = _kept(len(frame), len(features.columns) + len(frame.columns))
    held_out = reference.Rows(
        *(part.iloc[kept].reset_index(drop=True) for part in (features, frame))
    )
    figures = metric_values(use_case, scored)
    folder.mkdir()
    reference.freeze(folder, inputs, held_out, figures)


def reference_inputs(use_case: UseCase, features: pd.DataFrame) -> pd.DataFrame:
    """A sample of the training inputs."""
    n = min(use_case.monitoring.reference_rows, len(features))
    return _watched(use_case, features).sample(n, random_state=SEED).reset_index(drop=True)


def _watched(use_case: UseCase, features: pd.DataFrame) -> pd.DataFrame:
    """The features that the log holds as sent and that are of no person."""
    hidden = of_persons(use_case)
    return features[[name for name in use_case.features if name not in hidden]]


def _kept(n_rows: int, n_columns: int) -> npt.NDArray[np.int64]:
    """Positions of the holdout's rows that are kept, in their order; all of them where few."""
    most = min(HOLDOUT_ROWS, max(1, HOLDOUT_CELLS // n_columns))
    if n_rows <= most:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(SEED).choice(n_rows, most, replace=False))


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
