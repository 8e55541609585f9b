"""Figures of an evaluation: names of columns and values are drawn as they are."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from contract.statistics.metrics import Scored
from contract.use_case.sections.column import Column
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
    for _, figure in figures(
        use_case, scored, {FORMULA: measured, "b": measured}, measured, sliced
    ):
        figure.savefig(io.BytesIO())
        for axes in figure.axes:
            said |= {t.get_text() for t in (*axes.get_yticklabels(), axes.title)}
    assert any(FORMULA in text for text in said)


def drawn(home: Path, n_classes: int, n_features: int) -> dict[str, Figure]:
    """The plots of a multiclass model by name."""
    classes = tuple(f"class {i}" for i in range(n_classes))
    random = np.random.default_rng(0)
    label = np.array(classes, dtype=object)[random.integers(0, n_classes, 2000)]
    scored = Scored(label, label[::-1], np.full((2000, n_classes), 1 / n_classes), classes)
    use_case = made_use_case(home, {"task": "multiclass"})
    importance = {f"feature {i}": (i / 1000, i / 2000, i / 500) for i in range(n_features)}
    return dict(figures(use_case, scored, importance, (0.5, 0.4, 0.6), {}))


@pytest.mark.parametrize(("n_classes", "shown"), [(3, 3), (60, 60), (200, 60)])
def test_a_confusion_matrix_of_many_classes_can_be_read(
    home: Path, n_classes: int, shown: int
) -> None:
    figure = drawn(home, n_classes, 3)["confusion_matrix"]
    figure.savefig(io.BytesIO())
    axes, names = figure.axes[0], [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert len(names) == shown
    assert bool(axes.texts) == (n_classes == 3)  # numbers in the cells
    assert (names[-1] == "141 others") == (n_classes == 200)
    assert max(figure.get_size_inches()) < 13
    boxes = [t.get_window_extent() for t in axes.get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in pairwise(boxes))


def test_of_many_features_the_largest_are_drawn(home: Path) -> None:
    figure = drawn(home, 3, 300)["importance"]
    names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert (len(names), names[-1]) == (40, "feature 299")
    assert "40 of 300 features" in figure.axes[0].get_title(loc="left")
    assert max(figure.get_size_inches()) < 13
