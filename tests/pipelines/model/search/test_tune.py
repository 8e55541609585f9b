"""A search: each trial's figure is scikit-learn's on the same folds, and the best of them wins."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import GroupKFold, StratifiedKFold, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from contract.errors import BadInput
from contract.settings import read_settings
from contract.use_case.model import UseCase
from contract.use_case.sections.estimator import Range
from contract.use_case.sections.gates import Evaluation
from contract.use_case.sections.split import GroupSplit, RandomSplit, TimeSplit
from pipelines.model.search.tune import BestTrial, tune
from tests.conftest import made_rows, made_use_case
from tracking.store import connect
from tracking.tags import TRIAL_STATE_TAG

ROWS = made_rows(200)
FEATURES = ["colour", "group", "size"]
BY_TIME = TimeSplit(by="time", holdout_share=0.25)
SPLITS: list[tuple[Any, Any, dict[str, Any]]] = [
    (BY_TIME, TimeSeriesSplit(3), {}),
    (
        GroupSplit(by="group", column="group", holdout_share=0.25),
        GroupKFold(3),
        {"groups": ROWS["group"]},
    ),
    (
        RandomSplit(by="random", holdout_share=0.25),
        StratifiedKFold(3, shuffle=True, random_state=0),
        {"y": ROWS["late"]},
    ),
]


@pytest.fixture
def client(stored: Path) -> Iterator[MlflowClient]:
    """The client of a store in which a run is active."""
    client = connect(read_settings())
    mlflow.set_experiment("search")
    with mlflow.start_run():
        yield client


def searching(home: Path, metric: str = "log_loss", split: Any = BY_TIME) -> UseCase:
    """The made use case with a wide search, whose declared point is a good one."""
    declared = made_use_case(home)
    found = {"parameters": {"C": 1.0}, "search": {"C": Range(low=1e-4, high=10, log=True)}}
    return declared.model_copy(
        update={
            "split": split,
            "estimator": declared.estimator.model_copy(update=found),
            "evaluation": Evaluation(metric=metric),
        }
    )


def trials(client: MlflowClient, use_case: UseCase, number: int) -> tuple[BestTrial, list[Run]]:
    """What the search found, and the run of every trial."""
    best = tune(client, pa.Table.from_pandas(ROWS), use_case, number)
    runs = client.search_runs(["1"], "tags.step = 'trial'")
    assert len(runs) == number
    return best, sorted(runs, key=lambda run: run.info.run_name)


def on_folds(
    c: float, metric: str, folds: list[tuple[Any, Any]], words: Sequence[str]
) -> list[float]:
    """The metric on each fold, by scikit-learn alone."""
    values = []
    for train, test in folds:
        encoder = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), [*words]),
            (StandardScaler(), ["size"]),
        )
        model = make_pipeline(encoder, LogisticRegression(C=c))
        known, asked = (ROWS.iloc[part] for part in (train, test))
        chance = model.fit(known[FEATURES], known["late"]).predict_proba(asked[FEATURES])[:, 1]
        measure = log_loss if metric == "log_loss" else roc_auc_score
        values.append(float(measure(asked["late"], chance)))
    return values


@pytest.mark.parametrize(("split", "cut", "by"), SPLITS, ids=["time", "group", "random"])
def test_a_trial_is_measured_on_folds_as_the_split_is(
    home: Path, client: MlflowClient, split: Any, cut: Any, by: dict[str, Any]
) -> None:
    folds = list(cut.split(ROWS, **by))
    if split is BY_TIME:
        assert all(train.max() < test.min() for train, test in folds)
    if "groups" in by:
        names = [[set(ROWS["group"].iloc[part]) for part in fold] for fold in folds]
        assert all(not train & test for train, test in names)
    metric = "roc_auc" if split is BY_TIME else "log_loss"
    best, runs = trials(client, searching(home, metric, split), 3)
    means = {}
    for run in runs:
        c = float(run.data.params["C"])
        history = client.get_metric_history(run.info.run_id, f"fold/{metric}")
        logged = [m.value for m in sorted(history, key=lambda m: m.step)]
        # What rows are grouped by is no feature.
        words = ["colour"] if "groups" in by else ["colour", "group"]
        assert logged == pytest.approx(on_folds(c, metric, folds, words), abs=1e-3)
        means[c] = run.data.metrics[f"cross_validation/{metric}"]
        assert means[c] == pytest.approx(np.mean(logged))
    better = max if metric == "roc_auc" else min
    assert best.value == better(means.values())
    assert means[best.parameters["C"]] == best.value
    assert len(set(means.values())) == 3
    assert 1.0 in means  # the declared one is among them


def test_where_no_search_is_declared_nothing_is_tuned(home: Path, client: MlflowClient) -> None:
    fixed: dict[str, object] = {
        "estimator": made_use_case(home).estimator.model_copy(update={"search": {}})
    }
    with pytest.raises(BadInput, match=r"tune: made declares no estimator\.search to tune in"):
        tune(client, pa.Table.from_pandas(ROWS), made_use_case(home, fixed), 3)


def test_a_trial_that_falls_behind_is_cut_short(
    home: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One after the other the seed decides which points are tried.
    monkeypatch.setattr("pipelines.model.search.tune.PARALLEL_TRIALS", 1)
    best, runs = trials(client, searching(home), 8)
    folds = list(TimeSeriesSplit(3).split(ROWS))
    states = pd.Series([run.data.tags[TRIAL_STATE_TAG] for run in runs])
    assert (best.finished, best.pruned) == (
        (states == "complete").sum(),
        (states == "pruned").sum(),
    )
    assert best.finished + best.pruned == 8
    short = [run for run in runs if run.data.tags[TRIAL_STATE_TAG] == "pruned"]
    tried = [len(client.get_metric_history(r.info.run_id, "fold/log_loss")) for r in short]
    assert min(tried) < len(folds)
    for run in short:
        c = float(run.data.params["C"])
        assert np.mean(on_folds(c, "log_loss", folds, ["colour", "group"])) > best.value
