"""Answered rows as metrics want them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from contract.statistics.metrics import metric_values
from contract.use_case.sections.column import Column
from monitoring.measures.answers import of_holdout, of_window
from tests.conftest import made_use_case


@pytest.mark.parametrize("of", ["window", "holdout"])
def test_a_number_is_not_cut_where_every_label_is_a_whole_one(home: Path, of: str) -> None:
    target = {"late": Column(type="integer")}
    declared = made_use_case(home)
    use_case = declared.model_copy(
        update={"task": "regression", "columns": {**declared.columns, **target}}
    )
    random = np.random.default_rng(0)
    rows = pd.DataFrame({"label": random.integers(0, 9, 200), "prediction": random.random(200) * 9})
    found = of_holdout(rows, use_case) if of == "holdout" else of_window(rows, use_case, ())
    figures = metric_values(use_case, found)
    assert figures["mae"] == pytest.approx(mean_absolute_error(rows["label"], rows["prediction"]))
    assert figures["rmse"] == pytest.approx(
        root_mean_squared_error(rows["label"], rows["prediction"])
    )
