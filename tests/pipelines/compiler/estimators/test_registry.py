"""Estimators of other libraries, and one that can't be compiled, through the whole pipeline."""

from pathlib import Path
from typing import Any

import mlflow
import pytest

from contract.names import PRODUCTION
from contract.use_case.sections.serving import Serving
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.registry.versions import Version
from pipelines.runtime.workspace import open_workspace
from serving.scoring.leaf_masks import LeafMasks
from serving.scoring.scorer import Graph
from serving.scoring.version import ServedVersion, load_version
from tests.conftest import deliver, made_rows, made_use_case

pytestmark = pytest.mark.usefixtures("stored")


def made_with(
    folder: Path, path: str, parameters: dict[str, Any], **changes: object
) -> ServedVersion:
    """The made rows' pipeline with that estimator: its champion as the service loads it."""
    deliver(folder, made_rows())
    declared = made_use_case(folder)
    estimator = declared.estimator.model_copy(
        update={"path": path, "parameters": parameters, "search": {}}
    )
    patient = declared.gates.model_copy(update={"max_latency_ms": 1000})  # a machine may be busy
    changed = declared.model_copy(update={"estimator": estimator, "gates": patient} | changes)
    with open_workspace(changed) as workspace:
        registered = pipeline(workspace, Rehearsal(), tune=0).registered
        assert Version.read(workspace, registered.version).stage == PRODUCTION
        package = mlflow.artifacts.download_artifacts(f"models:/made/{registered.version}")
    return load_version(Path(package), "made", registered.version)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("lightgbm.LGBMClassifier", {"n_estimators": 20, "verbose": -1}),
        ("xgboost.XGBClassifier", {"n_estimators": 20}),
    ],
)
def test_boosted_trees_of_other_libraries_are_compiled_and_reach_production(
    home: Path, path: str, parameters: dict[str, Any]
) -> None:
    served = made_with(home, path, parameters)
    assert isinstance(served.scorer.run, Graph | LeafMasks)


def test_what_cannot_be_compiled_reaches_production_only_where_the_use_case_allows_it(
    home: Path,
) -> None:
    path, parameters = "sklearn.naive_bayes.GaussianNB", {"var_smoothing": 1e-9}
    served = made_with(home, path, parameters, serving=Serving(allow_sklearn=True))
    assert not isinstance(served.scorer.run, Graph | LeafMasks)
