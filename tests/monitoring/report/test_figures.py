"""A verdict's figures are those that scikit-learn and pandas find in the tables."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from contract.settings import read_settings
from contract.store.tables import Tables
from tests.support.golden import of_two_classes
from tests.support.turned import DAYS, N_ROWS, Turned
from tracking.store import connect


@pytest.fixture
def client(turned: Turned, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """The store of the champion whose performance fell, worked in."""
    monkeypatch.chdir(turned.folder)
    return connect(read_settings())


def first_day() -> pd.DataFrame:
    """What was asked and answered on the first day, with what turned out to be true."""
    tables = Tables(read_settings().table_root, "made")
    answers, known = (tables.read(name).to_pandas() for name in ("predictions", "feedback"))
    answers = answers[answers["event_date"].astype(str) == DAYS[0]]
    joined = answers.merge(known[["prediction_id", "label"]], on="prediction_id")
    asked = pd.DataFrame(joined["inputs"].tolist(), index=joined.index)
    return pd.concat([joined.drop(columns=asked.columns, errors="ignore"), asked], axis=1)


def test_realised_performance_is_that_of_the_answers_and_their_labels(
    turned: Turned, client: MlflowClient
) -> None:
    run, rows = turned.reports[0].run_id, first_day()
    y, p = rows["label"].to_numpy(bool), np.array(rows["probability"].tolist())[:, 1]
    expected = of_two_classes(y, p)
    said = json.loads(mlflow.artifacts.load_text(f"runs:/{run}/verdict.json"))
    assert said["performance"]["realised"] == pytest.approx(expected)
    logged = client.get_run(run).data.metrics
    assert {name: logged[f"realised/{name}"] for name in expected} == pytest.approx(expected)
    page = Path(mlflow.artifacts.download_artifacts(f"runs:/{run}/verdict.html"))
    text = page.read_text(encoding="utf-8")
    for name, value in expected.items():
        assert f"<td>{name}</td><td>{value:.4g}</td>" in text
    assert f"{N_ROWS} labels, 100% of the rows" in text
    holdout = client.get_model_version_by_alias("made", "champion").tags["evaluate_run"]
    reference = client.get_run(holdout).data.metrics["holdout/roc_auc"]
    sentence = f"roc_auc is {expected['roc_auc']:.3f} ["
    (reason,) = [reason for reason in turned.reports[0].reasons if sentence in reason]
    assert f"against {reference:.3f}: worse by" in reason


def test_columns_are_counted_as_they_were_asked(turned: Turned, client: MlflowClient) -> None:
    run, rows = turned.reports[0].run_id, first_day()
    said = json.loads(mlflow.artifacts.load_text(f"runs:/{run}/verdict.json"))
    assert said["rows"] == len(rows) == N_ROWS
    size = said["columns"]["size"]
    found = [size["rows"], size["nulls"], size["low"], size["high"], size["mean"]]
    known = rows["size"]
    assert found == pytest.approx([N_ROWS, 0, known.min(), known.max(), known.mean()])
    for name in ("colour", "group"):
        cells = {word: n for word, n in said["columns"][name]["cells"].items() if n}
        known_words = rows[name].value_counts().to_dict()
        others = sum(n for word, n in known_words.items() if word not in cells)
        named = {word: n for word, n in known_words.items() if word in cells}
        assert cells == named | ({"other": others} if others else {})
        assert len(named) >= 3
    assert client.get_run(run).data.metrics["mean/size"] == pytest.approx(known.mean())
