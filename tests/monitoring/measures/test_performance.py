"""A window's performance against the reference's, and its slices, from the definitions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from contract.statistics.metrics import Scored, metrics_for
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.gates import Evaluation
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.answers import (
    classes_of,
    of_holdout,
    of_window,
    probabilities,
    score_index,
    typed,
    unlabelled,
)
from monitoring.measures.bins import NumberCells
from monitoring.measures.compare import frozen_columns
from monitoring.measures.performance import (
    Baseline,
    PerformanceFall,
    WindowAnswers,
    as_estimated,
    baseline,
    fall,
    slices,
)
from tests.conftest import made_use_case
from tests.support.golden import ends, resamples
from tests.support.monitored import reference

RANDOM = np.random.default_rng(3)
FALL = PerformanceFall("roc_auc", 0.8, 0.7, 0.65, 0.75, 0.06, 0.14, rows=200, labels=100)


@pytest.mark.parametrize(
    ("labels", "rows", "coverage", "enough"),
    [
        (100, 200, 0.5, True),
        (99, 100, 0.99, False),  # fewer than a hundred
        (100, 201, 100 / 201, False),  # of fewer than half of the rows
        (0, 0, 0.0, False),
        (1, 1, 1.0, False),
    ],
)
def test_labels_are_enough_by_number_and_by_share(
    labels: int, rows: int, coverage: float, enough: bool
) -> None:
    policy = Monitoring(min_labels=100, min_label_coverage=0.5)
    found = replace(FALL, labels=labels, rows=rows)
    assert (found.coverage, found.enough(policy)) == (coverage, enough)


def test_a_fall_is_certain_beyond_the_margin() -> None:
    policy = Monitoring(performance_margin=0.05)
    certain = [replace(FALL, low=low).certain(policy) for low in (0.051, 0.05, -0.2)]
    assert certain == [True, False, False]


def regression(home: Path) -> UseCase:
    columns = made_use_case(home).columns | {"late": Column(type="number")}
    return made_use_case(
        home,
        {
            "task": "regression",
            "columns": columns,
            "positive": None,
            "evaluation": Evaluation(metric="mae", resamples=100),
        },
    )


def scored(n_rows: int, off: float) -> Scored:
    label = RANDOM.normal(size=n_rows)
    return Scored(label, label + RANDOM.normal(scale=off, size=n_rows))


def test_more_of_what_should_be_small_is_a_fall(home: Path) -> None:
    use_case = regression(home)
    before, now = scored(300, 1), scored(200, 2)
    base = baseline(use_case, before, 150)
    assert base.metric == "mae"
    assert len(baseline(use_case, before).draws) == 200
    assert base.value == pytest.approx(mean_absolute_error(before.label, before.prediction))
    errors = np.abs(before.prediction.astype(float) - before.label.astype(float))
    assert base.draws == pytest.approx(resamples(300, 150) @ errors / 300)
    found = fall(base, metrics_for(use_case, now), 200, 900)
    assert found is not None
    errors = np.abs(now.prediction.astype(float) - now.label.astype(float))
    at = np.random.default_rng(1).integers(0, 200, (150, 200))
    drawn = errors[at].mean(axis=1)
    assert found.value == pytest.approx(errors.mean())
    assert (found.value_low, found.value_high) == pytest.approx(tuple(ends(drawn)))
    assert (found.low, found.high) == pytest.approx(tuple(ends(drawn - base.draws)))
    assert (found.rows, found.labels, found.reference) == (900, 200, base.value)


def test_an_estimated_baseline_is_moved_with_its_draws() -> None:
    moved = as_estimated(Baseline("roc_auc", 0.8, np.array([0.7, 0.9])), 0.75)
    assert moved.value == 0.75
    assert moved.draws == pytest.approx([0.65, 0.85])


def answers(values: list[str], labelled: list[bool]) -> tuple[WindowAnswers, Scored]:
    known = np.array(labelled)
    n_rows = int(known.sum())
    label = np.arange(n_rows) % 2 == 0
    p = RANDOM.random(n_rows)
    part = Scored(label, p > 0.5, np.c_[1 - p, p], (False, True))
    return WindowAnswers({"colour": values}, known, part), part


def test_slices_are_of_their_rows_the_most_frequent_first(home: Path) -> None:
    use_case = made_use_case(home)
    colours = ["red"] * 40 + ["blue"] * 60 + ["green"] * 10
    has_label = [i % 2 == 0 or i >= 100 for i in range(110)]
    window, part = answers(colours, has_label)
    holdout, reference = answers(["red"] * 30 + ["blue"] * 70, [True] * 100)
    blue, red, green = slices(use_case, ["colour"], window, holdout, 20)
    assert [(s.column, s.value, s.rows, s.labels) for s in (blue, red, green)] == [
        ("colour", "blue", 60, 30),
        ("colour", "red", 40, 20),
        ("colour", "green", 10, 10),
    ]
    assert (blue.share, red.share) == pytest.approx((60 / 110, 40 / 110))
    assert (blue.reference_share, red.reference_share, green.reference_share) == (0.7, 0.3, 0)
    assert part.probability is not None
    assert reference.probability is not None
    here = slice(20, 50)  # of the rows with labels
    expected = roc_auc_score(part.label[here], part.probability[here, 1])
    assert blue.metric == pytest.approx(expected)
    assert blue.metric is not None
    assert blue.low is not None
    assert blue.high is not None
    assert blue.low <= blue.metric <= blue.high
    expected = roc_auc_score(reference.label[30:], reference.probability[30:, 1])
    assert blue.reference_metric == pytest.approx(expected)
    assert red.metric is not None
    # Too few labels to say, on either side.
    assert (green.metric, green.low, green.high, green.reference_metric) == (None,) * 4


def test_a_slice_of_one_class_has_no_figure_however_many_its_labels(home: Path) -> None:
    window, part = answers(["red"] * 50, [True] * 50)
    alike = replace(window, scored=replace(part, label=np.ones(50, dtype=bool)))
    (red,) = slices(made_use_case(home), ["colour"], alike, window, 20)
    assert (red.labels, red.metric, red.low, red.high) == (50, None, None, None)
    assert red.reference_metric is not None


def test_of_many_values_thirty_are_shown(home: Path) -> None:
    window, _ = answers([f"v{i:02}" for i in range(40) for _ in range(40 - i)], [True] * 820)
    found = slices(made_use_case(home), ["colour"], window, window, 10_000)
    assert [s.value for s in found] == [f"v{i:02}" for i in range(30)]
    nothing, _ = answers([], [])
    shares = [
        s.reference_share for s in slices(made_use_case(home), ["colour"], window, nothing, 9)
    ]
    assert np.isnan(shares).all()


FRAME = pd.DataFrame(
    {
        "label": [True, False],
        "prediction": [False, False],
        "probability_False": [0.4, 0.7],
        "probability_True": [0.6, 0.3],
    }
)


def test_answers_of_a_holdout_have_their_classes_in_order(home: Path) -> None:
    use_case = made_use_case(home)
    found = of_holdout(FRAME, use_case)
    assert found.classes == (False, True)
    assert found.label.tolist() == [True, False]
    assert found.prediction.tolist() == [False, False]
    assert found.probability is not None
    assert found.probability.tolist() == [[0.4, 0.6], [0.7, 0.3]]
    assert score_index(use_case, (False, True)) == 1
    assert score_index(use_case, ()) is None


def test_answers_of_a_window_have_the_type_of_the_target(home: Path) -> None:
    use_case = made_use_case(home)
    rows = pd.DataFrame(
        {"label": [1.0, 0.0], "prediction": [True, False], "probability": [[0.1, 0.9], [0.8, 0.2]]}
    )
    found = of_window(rows, use_case, (False, True))
    assert found.label.tolist() == [True, False]
    assert found.label.dtype == bool
    assert found.probability is not None
    assert found.probability.tolist() == [[0.1, 0.9], [0.8, 0.2]]
    without = unlabelled(rows.drop(columns="label"), use_case, (False, True))
    assert without.label.tolist() == without.prediction.tolist() == [True, False]
    assert probabilities(rows, ()) is None
    empty = probabilities(rows.head(0), (False, True))
    assert empty is not None
    assert empty.shape == (0, 2)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("integer", "3", 3),
        ("string", "3", "3"),
        ("boolean", "True", True),
        ("boolean", "no", False),
    ],
)
def test_classes_have_the_type_of_the_target(
    home: Path, kind: str, name: str, value: object
) -> None:
    target = Column.model_validate({"type": kind})
    columns = made_use_case(home).columns | {"late": target}
    use_case = made_use_case(home, {"task": "multiclass", "columns": columns, "positive": None})
    found = classes_of(pd.DataFrame({"label": [], f"probability_{name}": []}), use_case)
    assert found == (value,)
    assert type(found[0]) is type(value)
    assert score_index(use_case, found) is None


def test_a_reference_is_frozen_by_its_inputs_its_chances_and_its_labels(home: Path) -> None:
    use_case, known = made_use_case(home), reference()
    frozen = frozen_columns(known, use_case)
    assert list(frozen.features) == [n for n in use_case.features if n in known.inputs]
    n_rows = len(known.holdout.answers)
    assert frozen.prediction is not None
    assert frozen.label is not None
    assert isinstance(frozen.prediction.cells, NumberCells)  # the chance of the positive class
    chances = known.holdout.answers["probability_True"]
    assert frozen.prediction.mean == pytest.approx(chances.mean())
    assert frozen.label.cells.names == ("null", "false", "true", "other")
    assert (frozen.prediction.rows, frozen.label.rows) == (n_rows, n_rows)
    several = made_use_case(home, {"task": "multiclass", "positive": None})
    said = frozen_columns(known, several).prediction
    assert said is not None
    assert said.cells.names == frozen.label.cells.names  # what was answered


def test_whole_numbers_stay_whole(home: Path) -> None:
    columns = made_use_case(home).columns | {"late": Column(type="integer")}
    use_case = made_use_case(home, {"task": "multiclass", "columns": columns, "positive": None})
    assert typed(pd.Series([1.0, 2.0]), use_case).dtype == np.int64
