"""Train: fit the declared pipeline on the frozen training table.

Deterministic: the same rows, code, parameters and libraries give bit-identical predictions.
"""

import hashlib
import json
import platform
from datetime import datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated, Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import typer
from sklearn.pipeline import Pipeline

from contract.errors import BadInput
from contract.statistics.metrics import Scored, check_metric, metrics_for
from contract.store.frames import feature_frame, input_frame
from contract.store.tables import Tables, TableVersion
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import of_persons, stand_in
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import labels, score, signature, weights
from pipelines.model.refusal import refusal
from pipelines.model.results import Trained
from pipelines.runtime import cli
from pipelines.runtime.code_hash import code_hash
from pipelines.runtime.console import count, working
from pipelines.runtime.frozen_rows import read_frozen
from pipelines.runtime.run_inputs import log_input
from pipelines.runtime.step import Done, Step, execute, latest_run, load_result, lock_hash, step_key
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.split import STEP as SPLIT
from pipelines.split import SplitMade
from serving.scoring.deriving_step import answering
from serving.scoring.own_code import OwnClass, find_own
from serving.scoring.trusted_types import TRUSTED_TYPES
from tracking.tags import (
    CODE_HASH_TAG,
    ESTIMATOR_TAG,
    LOCK_HASH_TAG,
    OWN_CLASS_TAG,
    PLATFORM_TAG,
    PYTHON_TAG,
)

TuneOption = Annotated[str, typer.Option(help="Optuna trials; 0 trains the declared parameters.")]
EXAMPLE_ROWS = 3


STEP = Step(
    "train",
    Trained,
    (
        "columns",
        "derived",
        "time_zone",
        "keys",
        "target",
        "weight",
        "event_time",
        "positive",
        "split",
        "estimator",
        "evaluation",
    ),
)


def train(workspace: Workspace, split: SplitMade, tune: int = 0) -> Done[Trained]:
    """Fit a candidate on the training table."""
    if reason := refusal(workspace.use_case):
        raise BadInput(reason)
    inputs = _inputs(workspace, split)
    return execute(workspace, STEP, lambda: fit(workspace, split, tune), inputs, {"tune": tune})


def _inputs(workspace: Workspace, split: SplitMade) -> dict[str, str]:
    inputs = {"training": split.training.content_hash, "holdout": split.holdout.content_hash}
    if own := own_class(workspace):
        inputs["own_class"] = own.sha256
    return inputs


def fit(workspace: Workspace, split: SplitMade, tune: int) -> Trained:
    """Tune where asked, fit, and log the model."""
    use_case, tables = workspace.use_case, workspace.tables
    rows = read_rows(tables, use_case, split.training)
    parameters = _parameters(workspace, split, rows, tune)
    mlflow.log_params({f"estimator_{name}": readable(value) for name, value in parameters.items()})
    features = feature_frame(rows, use_case)
    with working(f"fitting {use_case.estimator.path} on {count(len(features))} rows"):
        target, weight = labels(rows, use_case), weights(rows, use_case)
        model = fit_pipeline(use_case, parameters, features, target, weight)
    own = own_class(workspace)
    scored = score(model, read_rows(tables, use_case, split.holdout), use_case)
    check_metric(use_case, metrics_for(use_case, scored))
    model_uri = _log(model, use_case, rows, own)
    log_input(tables, split.training, "training")
    run = mlflow.active_run()
    return Trained(
        run_id=run.info.run_id if run else "",
        model_uri=model_uri,
        estimator=use_case.estimator.kind,
        parameters=parameters,
        training=split.training,
        holdout=split.holdout,
        prediction_hash=prediction_hash(scored),
        tune=tune,
        path=use_case.estimator.path,
        code_hash=own.sha256 if own else "",
    )


def _parameters(
    workspace: Workspace, split: SplitMade, rows: pa.Table, tune: int
) -> dict[str, Any]:
    """The declared parameters; where asked, with those that a search found."""
    declared = dict(workspace.use_case.estimator.parameters)
    if not tune:
        return declared
    from pipelines.model.search.tune import SharedStudy
    from pipelines.model.search.tune import tune as search

    use_case = workspace.use_case
    # Whoever trains the same of the same rows works on the same study.
    key = step_key(workspace, STEP, _inputs(workspace, split), {"tune": tune})
    shared = SharedStudy(workspace.settings, f"{use_case.name}/{key}")
    best = search(workspace.client, rows, use_case, tune, shared)
    mlflow.log_metric(f"cross_validation/{use_case.evaluation.metric}", best.value)
    mlflow.log_metrics({"trials_finished": best.finished, "trials_pruned": best.pruned})
    return declared | best.parameters


def _log(model: Pipeline, use_case: UseCase, rows: pa.Table, own: OwnClass | None) -> str:
    """Log a model, and with what it was made; its address."""
    logged = mlflow.sklearn.log_model(
        answering(model, use_case),
        name="model",
        serialization_format="skops",
        skops_trusted_types=[*TRUSTED_TYPES, *([own.type_name] if own else [])],
        signature=signature(use_case),
        input_example=example(use_case, rows),
        pip_requirements=exact_requirements(),
    )
    tags = {OWN_CLASS_TAG: own.sha256} if own else {}
    mlflow.set_tags({ESTIMATOR_TAG: use_case.estimator.kind, **tags, **environment()})
    return str(logged.model_uri)


def example(use_case: UseCase, rows: pa.Table) -> pd.DataFrame:
    """The first rows, for whoever wonders what to send; of persons a stand-in."""
    few = input_frame(rows.slice(0, EXAMPLE_ROWS), use_case)
    for name in of_persons(use_case).intersection(use_case.inputs):
        value = stand_in(use_case.columns[name])
        value = value.isoformat() if isinstance(value, datetime) else value
        few[name] = pd.Series([value] * len(few), few.index, few[name].dtype)
    return few


def own_class(workspace: Workspace) -> OwnClass | None:
    """The user's own class as its file is now; None where a library's is declared."""
    declared = workspace.use_case.estimator
    folder = Path(workspace.use_case.source.folder)
    return find_own(declared.path, folder) if declared.own else None


def readable(value: Any) -> Any:
    """A parameter as the run shows it: mappings and lists as JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def read_rows(tables: Tables, use_case: UseCase, table: TableVersion) -> pa.Table:
    """Rows of a frozen table in order of time and key, so that training sees one order only.

    Refused where they are not the rows that were written.
    """
    time = [use_case.event_time] if use_case.event_time else []
    return read_frozen(tables, table, [*time, *use_case.row_keys])


def prediction_hash(scored: Scored) -> str:
    """SHA-256 of the answers, bit for bit: probabilities where there are any."""
    answers = scored.prediction if scored.probability is None else scored.probability
    return hashlib.sha256(np.ascontiguousarray(answers, dtype=float).tobytes()).hexdigest()


def exact_requirements() -> list[str]:
    """What a scikit-learn model of ours needs, at the versions it was made with."""
    wanted = {"mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops"}
    versions = {d.metadata["Name"].lower(): d.version for d in distributions()}
    return [f"{name}=={versions[name]}" for name in sorted(wanted)]


def environment() -> dict[str, str]:
    """Tags that say what a run was made with."""
    return {
        LOCK_HASH_TAG: lock_hash(),
        PYTHON_TAG: platform.python_version(),
        PLATFORM_TAG: platform.platform(),
        CODE_HASH_TAG: code_hash("pipelines.train"),
    }


def read_tune(text: str) -> int:
    """The number of trials; BadInput unless it is a whole number."""
    if text and not text.isdigit():
        raise BadInput(f"tune: a whole number of trials is needed, found {text!r}.")
    return int(text or 0)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    split: cli.RunOption = "",
    tune: TuneOption = "0",
) -> None:
    """Train: fit the declared estimator on the frozen training table."""
    trials = read_tune(tune)
    with open_workspace(use_case, root) as workspace:
        run_id = latest_run(workspace, SPLIT, split)
        train(workspace, load_result(workspace, SPLIT, run_id), trials)


if __name__ == "__main__":
    cli.run(main)
