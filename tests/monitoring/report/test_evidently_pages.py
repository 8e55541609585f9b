"""What Evidently is not shown, and a window of which it is shown the answers alone."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitoring.report.evidently_pages import draw, unfit
from monitoring.windows.reference import Rows
from tests.conftest import made_use_case
from tests.support import monitored as made


@pytest.mark.parametrize(
    ("window", "reference", "why"),
    [
        ([1.0, 2.0], [1.0, 3.0], ""),
        ([1.0, 1.0], [1.0, 2.0], ""),
        ([1.0, 1.0], [2.0, 2.0], ""),
        ([1.0, np.nan], [1.0, 1.0], "constant, the same on both sides"),
        ([np.nan, np.nan], [1.0, 1.0], "only nulls in the window"),
        ([1.0, 2.0], [1.0, np.inf], "infinite values in the reference"),
    ],
)
def test_a_column_that_it_can_t_show_is_left_out(
    window: list[float], reference: list[float], why: str
) -> None:
    assert unfit(pd.DataFrame({"x": window}), pd.DataFrame({"x": reference}), "x") == why


def test_without_a_column_to_show_there_is_no_page_of_inputs(home: Path) -> None:
    found, use_case = made.rows(60, 1), made_use_case(home)
    nothing = pd.DataFrame({name: [None] * 60 for name in use_case.features})
    answers = pd.DataFrame(
        {
            "prediction": found["chance"] > 0.5,
            "probability": [[1 - p, p] for p in found["chance"]],
            "label": [None] * 60,
            "label_time": [datetime(2024, 2, 1, tzinfo=UTC)] * 60,
        }
    )
    drawn = draw(Rows(nothing, answers), made.reference(100), use_case, as_html=False)
    assert list(drawn.pages) == ["answers"]
    assert drawn.left_out == dict.fromkeys(use_case.features, "only nulls in the window")
