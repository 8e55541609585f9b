"""Figures of an evaluation: names of columns and values are drawn as they are."""

import io
from pathlib import Path

import numpy as np
import pytest

from contract.statistics.metrics import Scored
from contract.use_case.model import Column
from pipelines.model.plots import figures
from tests.conftest import made_use_case

FORMULA = r"$\frac$ and \$5 or $6"  # an error to whom takes it for a formula


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_text_with_dollars_is_no_formula(home: Path, task: str) -> None:
    columns = made_use_case(home).columns | {"late": Column(type="string", unit=FORMULA)}
    use_case = made_use_case(home, {"task": task, "columns": columns})
    if task == "regression":
        scored = Scored(np.arange(9.0), np.arange(9.0) ** 1.1)
    else:
        label = np.array([FORMULA, "b", "c"] * 3, dtype=object)
        scored = Scored(label, label[::-1], np.full((9, 3), 1 / 3), (FORMULA, "b", "c"))
    measured = (0.5, 0.4, 0.6)
    sliced = {FORMULA: {FORMULA: measured}}
    said = set()
    for _, figure in figures(use_case, scored, {FORMULA: 0.1, "b": 0.2}, measured, sliced):
        figure.savefig(io.BytesIO())
        for axes in figure.axes:
            said |= {t.get_text() for t in (*axes.get_yticklabels(), axes.title)}
    assert any(FORMULA in text for text in said)
