"""Columns may have any name that a table can hold: also those of our own columns beside them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from contract.settings import read_settings
from contract.tables import Tables
from contract.use_case import UseCase
from contract.use_case_file import parse_use_case
from monitoring.monitor import monitor
from monitoring.window import Asked
from pipelines.backtest import backtest
from pipelines.feedback import feedback
from pipelines.forget import forget
from pipelines.label_figures import label_figures
from pipelines.lineage import lineage
from pipelines.main import pipeline
from pipelines.packaged import load
from pipelines.registry import champion_of
from pipelines.rehearsal import Rehearsal
from pipelines.training_set import training_set
from pipelines.workspace import Workspace, open_workspace
from pipelines.candidate import seen_by
from serving.cells import Sent, check
from serving.shipper import Shipper
from tests.conftest import settle
from tests.serving.answers import answer, spooled

OURS = (
    "prediction label event_time label_time probability probability_True version inputs flags p l "
    "prediction_id source key0 at seen n quarter row event_date prediction_score Logged_Time t q s"
)
ODD = ["a.b", ".x", "two words", "it's", "100%", "[0]", "$x_{$", "été", "a/b", "..", "`", "a;b,c"]
NAMES = [*OURS.split(), *ODD]
KEY, TIME, TARGET = "nth", "logged_time_", "newest"
N_ROWS = 400


def made_rows(first: int) -> pd.DataFrame:
    random = np.random.default_rng(first)
    features = {name: random.normal(100, 1, N_ROWS) for name in NAMES}
    late = features["label"] + features["a.b"] - 200 + random.normal(size=N_ROWS) > 0
    moments = pd.date_range("2024-01-01", periods=N_ROWS, freq="min", tz="UTC")
    named = {KEY: range(first, first + N_ROWS), TIME: moments + timedelta(days=first), TARGET: late}
    return pd.DataFrame(named | features)


def declared(folder: Path) -> UseCase:
    columns = {KEY: {"type": "integer"}, TIME: {"type": "timestamp"}, TARGET: {"type": "boolean"}}
    found = {
        "name": "names",
        "title": "Names of ours",
        "task": "binary",
        "source": {"parquet": "rows.parquet", "late_duplicates": "replace"},
        "keys": [KEY],
        "event_time": TIME,
        "target": TARGET,
        "positive": True,
        "columns": columns | {name: {"type": "number"} for name in NAMES},
        "validation": {"min_rows": 20},
        "split": {"by": "time", "holdout_share": 0.4},
        "estimator": {"path": "sklearn.linear_model.LogisticRegression"},
        "evaluation": {"metric": "roc_auc", "resamples": 100, "slices": ["label"]},
        "gates": {"minimum": {"roc_auc": 0.4}, "min_rows": 40, "max_latency_ms": 5000},
        "monitoring": {"min_rows": 50, "min_labels": 20, "every": "day"},
        "retraining": {"min_labels": 1},
    }
    return parse_use_case(json.dumps(found), "names.yaml", folder)


def ask(workspace: Workspace, rows: pd.DataFrame) -> str:
    """Let the champion answer the rows as the service does; the request's id."""
    champion = champion_of(workspace)
    assert champion
    served, request = load(workspace, champion).served, "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11"
    asked = rows.drop(columns=TARGET)
    checked = check(Sent({n: asked[n].tolist() for n in asked}, len(asked)), served.use_case)
    found = served.scorer.score(checked.features)
    answered = answer(
        served.use_case,
        request,
        len(rows),
        version=served.version,
        features=checked.features,
        keys=checked.keys,
        event_time=[t.to_pydatetime() for t in rows[TIME]],
        prediction=found.prediction,
        probability=found.probability,
        flags=checked.flags,
    )
    folder = Path(workspace.tables.root) / "spool"
    spooled(folder, served.use_case, [answered])
    Shipper(folder, workspace.tables).drain()
    return request


def test_x(home):
    made_rows(0).to_parquet(home / "rows.parquet")
    use_case = declared(home)
    with open_workspace(use_case) as workspace:
        outcome = pipeline(workspace, Rehearsal(), tune=0)
    assert outcome.gated.passed, outcome
    with open_workspace(use_case, cycle="monitoring") as workspace:
        rows = made_rows(1000)
        request = ask(workspace, rows)
        rows[[KEY, TIME, TARGET]].to_parquet(home / "labels.parquet")
        fed = feedback(workspace, str(home / "labels.parquet")).result
        print(fed)
        print(monitor(use_case, read_settings(), Asked()))
        print(backtest(workspace, champion_of(workspace), "", ""))
        print(training_set(workspace, "", ""))
        print(lineage(workspace, f"{request}-0"))
        from datetime import UTC, datetime
        print(label_figures(workspace.tables, use_case, seen_by(workspace, champion_of(workspace)), datetime.now(UTC)))
        print(forget(workspace, "1003"))
