"""Columns may have any name that a table can hold: also those of our own columns beside them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from contract.settings import Settings, read_settings
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from monitoring.monitor import monitor
from monitoring.report.history import read_document, read_history
from monitoring.windows.versions import read_served
from monitoring.windows.window import WindowRequest as Window
from pipelines.backtest import backtest
from pipelines.data.after_holdout import unanswered
from pipelines.data.rehearsal import Rehearsal
from pipelines.feedback import feedback
from pipelines.forget import forget
from pipelines.lineage import lineage
from pipelines.main import pipeline
from pipelines.registry.versions import Version
from pipelines.release.loaded_package import load
from pipelines.retraining.candidate import champion_tables
from pipelines.retraining.label_checks import label_figures
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.training_set import training_set
from serving.requests.columns import SentColumns, check
from serving.shipping.shipper import Shipper
from tests.conftest import settle
from tests.support.answers import answer, spooled

pytestmark = pytest.mark.usefixtures("stored")

OURS = "prediction label event_time label_time probability probability_True version inputs seen"
ODD = ["a.b", ".x", "it's", "$x_{$", ".."]
NAMES = [*OURS.split(), *ODD]
KEY, TIME, TARGET = "nth", "logged_time_", "newest"
N_ROWS, DAY = 300, "2024-01-01"
REQUEST = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11"


@dataclass(frozen=True)
class Asked:
    """Rows that a registered version has answered, and whose labels are known."""

    workspace: Workspace
    settings: Settings  # of this store, from whatever folder
    version: Version
    rows: pd.DataFrame


def made_rows(first: int, day: str) -> pd.DataFrame:
    """Rows whose label follows the column `label`; every column has a mean of its own."""
    random = np.random.default_rng(first)
    features = {name: random.normal(10 * n, 1, N_ROWS) for n, name in enumerate(NAMES)}
    late = features["label"] + random.normal(size=N_ROWS) > 10 * NAMES.index("label")
    moments = pd.date_range(day, periods=N_ROWS, freq="min", tz="UTC")
    named = {KEY: range(first, first + N_ROWS), TIME: moments, TARGET: late}
    return pd.DataFrame(named | features)


def declared(folder: Path) -> UseCase:
    columns = {KEY: {"type": "integer"}, TIME: {"type": "timestamp"}, TARGET: {"type": "boolean"}}
    found = {
        "name": "names",
        "title": "Names",
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
        "evaluation": {"metric": "roc_auc", "resamples": 100, "slices": ["seen"]},
        "gates": {"min_rows": 40},
        "release": {"approval": "manual"},  # whether it is promoted does not matter here
        "monitoring": {"min_rows": 50, "min_labels": 20, "every": "day", "performance_margin": 0.5},
    }
    return parse_use_case(json.dumps(found), "names.yaml", folder)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("names")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        made_rows(0, "2023-12-01").to_parquet(folder / "rows.parquet")
        use_case, rows = declared(folder), made_rows(1000, DAY)
        with open_workspace(use_case) as workspace:
            registered = pipeline(workspace, Rehearsal(), tune=0).registered
        with open_workspace(use_case, cycle="monitoring") as workspace:
            version = Version.read(workspace, registered.version)
            answer_rows(workspace, version, rows)
            rows[[KEY, TIME, TARGET]].to_parquet(folder / "labels.parquet")
            feedback(workspace, str(folder / "labels.parquet"))
            store = {"tracking_uri": f"sqlite:///{folder}/mlflow.db"}
            yield Asked(workspace, read_settings().model_copy(update=store), version, rows)


def answer_rows(workspace: Workspace, version: Version, rows: pd.DataFrame) -> None:
    """Let the version answer the rows, as the service does."""
    served, sent = load(workspace, version).served, rows.drop(columns=TARGET)
    checked = check(
        SentColumns({name: sent[name].tolist() for name in map(str, sent)}, len(sent)),
        served.use_case,
    )
    found = served.scorer.score(checked.features)
    facts = {
        "version": version.version,
        "features": checked.features,
        "keys": checked.keys,
        "event_time": [moment.to_pydatetime() for moment in rows[TIME]],
        "prediction": found.prediction,
        "probability": found.probability,
        "flags": checked.flags,
    }
    folder = Path(workspace.tables.root) / "spool"
    spooled(folder, served.use_case, [answer(served.use_case, REQUEST, len(rows), **facts)])
    Shipper(folder, workspace.tables).drain()


def test_every_column_is_monitored_as_itself(asked: Asked) -> None:
    monitor(asked.workspace.use_case, asked.settings, Window(), asked.version.version)
    where = asked.workspace.experiment_id
    run, *_ = read_history(asked.workspace.client, where, asked.version.version).runs
    document, metrics = read_document(run), run.data.metrics
    assert document["verdict"]["state"] == "OK", document["verdict"]
    assert {f["change"]["name"] for f in document["findings"]} == {*NAMES, "prediction", "label"}
    assert len(document["findings"]) == len(NAMES) + 2
    for number, name in enumerate(NAMES):
        assert document["columns"][name]["mean"] == pytest.approx(10 * number, abs=0.3)
    assert metrics["mean/label"] == pytest.approx(10 * NAMES.index("label"), abs=0.3)
    assert sum(name.startswith("mean/") for name in metrics) == len(NAMES)
    assert document["performance"]["realised_fall"]["labels"] == N_ROWS
    assert [s["column"] for s in document["performance"]["slices"]][:1] == ["seen"]
    assert document["evidently"]["left_out"] == {}


def test_the_frozen_reference_holds_features_and_answers_apart(asked: Asked) -> None:
    found = read_served(asked.workspace.client, asked.workspace.use_case, asked.version.version)
    assert found.reference
    assert list(found.reference.holdout.inputs) == NAMES
    named = ["label", "prediction", "probability_False", "probability_True"]
    assert list(found.reference.holdout.answers) == named
    assert found.reference.holdout.inputs["label"].mean() == pytest.approx(10, abs=0.3)


def test_logged_rows_are_read_back_as_they_were_asked(asked: Asked) -> None:
    workspace, rows = asked.workspace, asked.rows
    tested = backtest(workspace, asked.version, "", "").result
    assert (tested.rows, tested.rows_different, tested.rows_labelled) == (N_ROWS, 0, N_ROWS)
    made = training_set(workspace, "", "").result
    there = workspace.tables.read("labelled", made.labelled.version, order_by=[KEY]).to_pandas()
    pd.testing.assert_frame_equal(there[list(rows)], rows, check_dtype=False)
    seen = champion_tables(workspace, asked.version)
    labels = label_figures(workspace.tables, workspace.use_case, seen, datetime.now(UTC))
    assert labels.holdout and labels.holdout.rows == N_ROWS
    assert unanswered(workspace, pa.Table.from_pandas(rows)).num_rows == 0
    traced = lineage(workspace, f"{REQUEST}-0")
    assert traced.prediction["inputs"] == rows.iloc[0][NAMES].to_dict()
    assert [label["label"] for label in traced.labels] == [rows.iloc[0][TARGET]]


def test_a_subject_is_forgotten(asked: Asked) -> None:
    done = forget(asked.workspace, f"{KEY}=1299").result
    assert done.rows["predictions"] == done.rows["feedback"] == 1
