"""A search that several processes may work on; run as a script, one of them."""

import sys
from pathlib import Path

import mlflow
import pyarrow as pa
from mlflow import MlflowClient

from contract.settings import read_settings
from contract.use_case.model import UseCase
from contract.use_case.sections.estimator import Range
from contract.use_case.sections.gates import Evaluation
from pipelines.model.search.tune import BestTrial, SharedStudy, tune
from tests.conftest import made_rows, made_use_case
from tracking.store import connect

NAME = "made/key"  # of the study
N_ROWS, TRIALS = 1500, 12


def searching(home: Path) -> UseCase:
    """The made use case with a wide search."""
    declared = made_use_case(home)
    found = {"parameters": {"C": 1.0}, "search": {"C": Range(low=1e-4, high=10, log=True)}}
    estimator = declared.estimator.model_copy(update=found)
    return declared.model_copy(
        update={"estimator": estimator, "evaluation": Evaluation(metric="log_loss")}
    )


def search(client: MlflowClient, use_case: UseCase, trials: int) -> BestTrial:
    """What the processes on this study find together; one that is silent is soon given up."""
    shared = SharedStudy(read_settings(), NAME, beat_s=1, dead_s=6)
    return tune(client, pa.Table.from_pandas(made_rows(N_ROWS)), use_case, trials, shared)


if __name__ == "__main__":
    found_by = connect(read_settings())
    mlflow.set_experiment("search")
    with mlflow.start_run():
        best = search(found_by, searching(Path(sys.argv[1])), TRIALS)
    print(best.parameters["C"], best.value, best.finished + best.pruned)
