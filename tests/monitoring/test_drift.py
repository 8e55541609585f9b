from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from contract.predictions import PARTITION, predictions_schema
from contract.settings import read_settings
from contract.tables import Tables
from contract.use_case import UseCase
from monitoring.drift import compare, unfit
from monitoring.monitor import monitor
from monitoring.reference import freeze, load
from monitoring.window import Window, read_day, read_window
from pipelines.main import Outcome
from serving.record import Schema
from tests.conftest import made_rows, made_use_case

FEATURES = ["colour", "size", "group"]


def window(n_rows: int = 400, seed: int = 1) -> pd.DataFrame:
    return made_rows(n_rows, seed)[FEATURES]


def answered(use_case: UseCase, rows: pd.DataFrame, version: str = "1") -> pa.Table:
    """Records as the service writes them."""
    records = [
        {
            "prediction_id": f"r-{row.id}",
            "request_id": "r",
            "row": row.id,
            "event_time": row.moment,
            PARTITION: day,
            "logged_time": datetime(2024, 3, 1, tzinfo=UTC),
            "model": use_case.name,
            "version": version,
            "id": row.id,
            "inputs": {name: getattr(row, name) for name in use_case.features},
            "prediction": bool(row.late),
        }
        for row, day in zip(rows.itertuples(), rows["moment"].dt.date, strict=True)
    ]
    schema = Schema.of(use_case)
    columns = predictions_schema(schema.features, schema.keys, schema.prediction)
    return pa.Table.from_pylist(records, schema=columns)


def test_a_shift_is_found_and_its_absence_too(home: Path) -> None:
    use_case = made_use_case(home)
    shifted = window().assign(size=lambda rows: rows["size"] + 1)
    found = compare(shifted, window(seed=2), use_case)
    assert found.status == "DRIFT"
    assert found.scores["size"] == min(found.scores.values())
    assert "size" in found.drifted
    assert "size" in found.html
    same = compare(window(seed=2), window(seed=2), use_case)
    assert (same.status, same.drifted) == ("OK", ())


@pytest.mark.parametrize(("n_rows", "status"), [(0, "NO_DATA"), (5, "NOT_ENOUGH_DATA")])
def test_too_little_is_said_before_anything_is_compared(
    home: Path, n_rows: int, status: str
) -> None:
    assert compare(window(n_rows), window(), made_use_case(home)).status == status


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.nan, "only nulls in the window"),
        (np.inf, "infinite values in the window"),
        ("text", "was float64, is object"),
    ],
)
def test_one_bad_column_costs_only_itself(home: Path, values: float | str, said: str) -> None:
    found = compare(window().assign(size=values), window(seed=2), made_use_case(home))
    assert found.notes == {"size": said}
    assert set(found.scores) == {"colour", "group"}


def test_a_missing_and_a_constant_column_are_named() -> None:
    assert unfit(window()[["size"]], window(), "colour") == "missing in the window"
    one = window().assign(colour="red")
    assert unfit(one, one, "colour").startswith("constant")


def test_a_window_is_days_of_the_declared_zone(home: Path) -> None:
    use_case = made_use_case(home, {"time_zone": "America/New_York"})
    tables = Tables(str(home / "data"), "made")
    assert read_window(tables, use_case, "1", Window()).frame.empty
    tables.append("predictions", answered(use_case, made_rows(100)))
    day = Window(read_day("from", "2024-01-02"), read_day("until", "2024-01-03"))
    found = read_window(tables, use_case, "1", day)
    assert len(found.frame) == 24
    assert list(found.frame) == [*FEATURES, "prediction"]
    assert read_window(tables, use_case, "2", day).frame.empty


def test_a_reference_reads_back(home: Path) -> None:
    freeze(home, window(), window().assign(label=True, prediction=False), {"roc_auc": 0.7})
    found = load(home)
    pd.testing.assert_frame_equal(found.inputs, window(), check_dtype=False)
    assert found.figures == {"roc_auc": 0.7}


def test_a_window_is_reported_once(
    trained: tuple[Path, Outcome], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained[0]}/mlflow.db")
    settings = read_settings(str(home / "tables"))
    first = monitor("penguins", settings, Window())
    again = monitor("penguins", settings, Window())
    assert (first.status, first.already) == ("NO_DATA", False)
    assert again.already
    assert again.run_id == first.run_id
