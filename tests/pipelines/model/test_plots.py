"""Figures of an evaluation: names of columns and values are drawn as they are."""

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from contract.statistics.metrics import Scored
from contract.use_case.sections.column import Column
from pipelines.model.comparison import Comparison, Difference
from pipelines.model.plots import figures, gain
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


def lines(figure: Figure) -> list[np.ndarray]:
    """The points of every line of a plot, (n_points, 2) each."""
    return [np.column_stack(line.get_data()) for line in figure.axes[0].get_lines()]


def test_curves_of_two_classes_run_as_scikit_learn_draws_them(home: Path) -> None:
    random = np.random.default_rng(0)
    y, p = random.random(400) < 0.3, random.random(400)
    scored = Scored(y, p > 0.5, np.column_stack([1 - p, p]), (False, True))
    found = dict(figures(made_use_case(home), scored, {}, (0.5, 0.4, 0.6), {}))
    assert set(found) == {"roc", "precision_recall", "calibration", "confusion_matrix"}
    false, true, _ = roc_curve(y, p)
    assert lines(found["roc"])[0] == pytest.approx(np.column_stack([false, true]))
    precision, recall, _ = precision_recall_curve(y, p)
    expected = np.column_stack([recall, precision])
    assert lines(found["precision_recall"])[0] == pytest.approx(expected)
    observed, predicted = calibration_curve(y, p, n_bins=10, strategy="quantile")
    expected = np.column_stack([predicted, observed])
    assert lines(found["calibration"])[1] == pytest.approx(expected)
    shares = confusion_matrix(y, p > 0.5, normalize="true")
    (image,) = found["confusion_matrix"].axes[0].get_images()
    assert np.asarray(image.get_array()) == pytest.approx(shares)
    numbers = [text.get_text() for text in found["confusion_matrix"].axes[0].texts]
    assert numbers == [f"{share:.2f}" for share in shares.ravel()]


def test_every_residual_bar_and_interval_stands_where_it_belongs(home: Path) -> None:
    random = np.random.default_rng(0)
    label = random.normal(size=300)
    predicted = label + random.normal(size=300)
    importance = {"large": (0.3, 0.2, 0.5), "none": (-0.01, -0.02, 0.0)}
    sliced = {"colour": {"red": (0.7, 0.6, 0.9), "blue": (0.4, 0.1, 0.5)}}
    use_case = made_use_case(home, {"task": "regression"})
    found = dict(figures(use_case, Scored(label, predicted), importance, (0.5, 0.4, 0.6), sliced))
    assert set(found) == {"residuals", "importance", "slices_colour"}
    points = np.asarray(found["residuals"].axes[0].collections[0].get_offsets())
    expected = np.column_stack([predicted, label - predicted])
    assert points[points[:, 0].argsort()] == pytest.approx(expected[predicted.argsort()])
    drawn_bars = [b for b in found["importance"].axes[0].patches if isinstance(b, Rectangle)]
    bars = [bar.get_width() for bar in drawn_bars]
    names = [text.get_text() for text in found["importance"].axes[0].get_yticklabels()]
    assert dict(zip(names, bars, strict=True)) == {"none": -0.01, "large": 0.3}
    axes = found["slices_colour"].axes[0]
    assert lines(found["slices_colour"])[0].tolist() == [[0.4, 0], [0.7, 1]]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["blue", "red"]
    (ranges,) = (c for c in axes.collections if isinstance(c, LineCollection))
    spans = ranges.get_segments()
    assert [part[:, 0].tolist() for part in spans] == [[0.1, 0.5], [0.6, 0.9]]


def test_an_interval_that_has_no_end_is_not_drawn() -> None:
    drawn = (0.1, 0.2, float("nan"))
    labels = []
    for low in (0.05, float("-inf")):
        compared = Comparison("r2", 0.5, 0.4, Difference(0.1, low, 0.2, 0.05), (), drawn)
        figure = gain(compared, "3", 0.02)
        labels.append([str(part.get_label()) for part in figure.axes[0].patches])
    assert [any("95 % interval" in label for label in one) for one in labels] == [True, False]
