"""A class of one's own, with weights and parameters of all kinds, through the whole pipeline."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pytest

from contract.errors import Refused
from contract.names import PRODUCTION
from contract.use_case.loader import load_use_case
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.registry.versions import Version
from pipelines.release.release_check import check_release
from pipelines.replaying.service_process import free_port, post_rows, service
from pipelines.reproduce import reproduce
from pipelines.runtime.workspace import open_workspace
from serving.scoring.version import load_version
from tests.conftest import MADE, deliver, made_rows
from tests.support.rounds import FULL
from tracking.tags import OWN_CLASS_TAG

pytestmark = pytest.mark.usefixtures("stored")

CODE = """
from sklearn.neural_network import MLPClassifier


class Wide(MLPClassifier):
    pass
"""
OWN = """
weight: mass
serving: {allow_sklearn: true}
estimator:
  path: my_model:Wide
  parameters: {hidden_layer_sizes: [4, 3], alpha: 0.001, max_iter: 400}
"""


@pytest.mark.skipif(not FULL, reason="make faults: a whole pipeline and a service")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_reaches_production_and_stops_where_its_code_is_gone(home: Path) -> None:
    (home / "my_model.py").write_text(CODE)
    mass = np.random.default_rng(0).uniform(0.5, 2, 200)
    deliver(home, made_rows().assign(mass=mass))
    start, end = MADE.index("estimator:"), MADE.index("evaluation:")
    text = MADE[:start] + MADE[end:].replace("gates: {", "gates: {max_latency_ms: 9000, ") + OWN
    text = text.replace("  size:", "  mass: {type: number, min: 0}\n  size:")
    (home / "made.yaml").write_text(text)
    case = load_use_case(str(home / "made.yaml"))
    with open_workspace(case) as workspace:
        made = pipeline(workspace, Rehearsal(), tune=0)
        version = Version.read(workspace, made.registered.version)
        assert version.stage == PRODUCTION
        assert len(version.tags[OWN_CLASS_TAG]) == 64
        run = workspace.client.get_run(version.train_run)
        assert json.loads(run.data.params["estimator_hidden_layer_sizes"]) == [4, 3]
        package = Path(mlflow.artifacts.download_artifacts(f"models:/made/{version.version}"))
        assert load_version(package, "made", "1", code=home).use_case.weight == "mass"
        assert reproduce(workspace, version).result.identical
        rows = workspace.tables.read("holdout")
        with service(str(home / "made.yaml"), "", free_port(), version.version) as address:
            post_rows(address, case, rows)  # the column of weights among them
        (home / "my_model.py").write_text(CODE + "# changed\n")
        with pytest.raises(Refused, match=r"needs my_model\.py with the SHA-256"):
            check_release(workspace, version)
