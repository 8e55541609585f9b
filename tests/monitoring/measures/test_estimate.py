from pathlib import Path

import numpy as np
import pytest

from contract.statistics.metrics import Scored, defined, metrics_for, point
from monitoring.measures.answers import of_holdout
from monitoring.measures.estimate import calibration, expected_metrics
from monitoring.measures.performance import as_estimated, baseline, fall
from tests.conftest import made_use_case
from tests.support import monitored as made

CLASSES = (False, True)


def scored(n_rows: int, seed: int, overconfident: float = 1.0) -> Scored:
    """Answers whose log-odds are that many times the true ones."""
    random = np.random.default_rng(seed)
    odds = random.normal(size=n_rows)
    label = random.random(n_rows) < 1 / (1 + np.exp(-odds))
    p = 1 / (1 + np.exp(-overconfident * odds))
    return Scored(label, p > 0.5, np.c_[1 - p, p], CLASSES)


@pytest.mark.parametrize("overconfident", [1.0, 3.0])
def test_the_estimate_is_near_what_labels_would_say(home: Path, overconfident: float) -> None:
    use_case = made_use_case(home)
    holdout, window = (scored(20_000, seed, overconfident) for seed in (1, 2))
    assert window.probability is not None
    chances = calibration(holdout)(window.probability)
    expected = defined(point(expected_metrics(use_case, window, chances), 20_000))
    realised = defined(point(metrics_for(use_case, window), 20_000))
    for name in ("accuracy", "f1", "roc_auc"):
        assert expected[name] == pytest.approx(realised[name], abs=0.015), name


def test_expected_accuracy_is_the_mean_chance_of_what_was_said(home: Path) -> None:
    answers = scored(50, 3)
    assert answers.probability is not None
    expected = expected_metrics(made_use_case(home), answers, answers.probability)
    assert point(expected, 50)["accuracy"] == pytest.approx(answers.probability.max(axis=1).mean())


def test_calibrated_chances_sum_to_one_and_a_tiny_holdout_changes_nothing() -> None:
    raw = scored(2000, 4, 3.0).probability
    assert raw is not None
    calibrated = calibration(scored(4000, 5, 3.0))(raw)
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert np.abs(calibrated - raw).max() > 0.05
    assert calibration(scored(3, 6))(raw) is raw


def test_a_fall_has_an_interval_around_it(home: Path) -> None:
    use_case = made_use_case(home)
    known = made.reference()
    holdout = of_holdout(known.holdout.answers, use_case)
    base = baseline(use_case, holdout)
    same = fall(base, metrics_for(use_case, holdout), len(holdout.label), 4000)
    assert same is not None
    assert same.low < 0 < same.high
    worse = Scored(np.logical_not(holdout.label), holdout.prediction, holdout.probability, CLASSES)
    fell = fall(base, metrics_for(use_case, worse), len(worse.label), 4000)
    assert fell is not None
    assert fell.value_low < fell.value < fell.value_high < 0.3
    assert fell.low > 0.5
    one_class = holdout.rows(np.asarray(holdout.label, dtype=bool))
    assert fall(base, metrics_for(use_case, one_class), len(one_class.label), 4000) is None


def test_a_timid_model_on_its_holdout_has_fallen_in_nobodys_eyes(home: Path) -> None:
    use_case = made_use_case(home)
    holdout = scored(45, 7, 0.1)  # too few rows for a calibration that would help
    base = baseline(use_case, holdout)
    assert holdout.probability is not None
    expected = expected_metrics(use_case, holdout, holdout.probability)
    here = as_estimated(base, point(expected, 45)["roc_auc"])
    assert here.value != pytest.approx(base.value, abs=0.02)
    found = fall(here, expected, 45, 45)
    assert found is not None
    assert found.value == found.reference
    assert found.low < 0 < found.high


def test_a_calibration_is_the_share_of_hits_at_each_chance() -> None:
    """Said 0.2 and 0.9; true in half and in all of the rows."""
    said = np.tile([0.2, 0.2, 0.2, 0.2, 0.9, 0.9, 0.9, 0.9], 25)
    label = np.tile([True, True, False, False, True, True, True, True], 25)
    answers = Scored(label, said > 0.5, np.c_[1 - said, said], CLASSES)
    found = calibration(answers)(np.array([[0.8, 0.2], [0.1, 0.9], [0.45, 0.55]]))
    assert found == pytest.approx(np.array([[0.5, 0.5], [0, 1], [0.25, 0.75]]))


def test_a_row_to_which_no_class_is_left_keeps_its_chances() -> None:
    """A chance of 0.1 was never right and one of 0.9 always: 0.3 stands for a quarter."""
    said = np.tile([0.1, 0.1, 0.9, 0.9], 50)
    answers = Scored(said > 0.5, said > 0.5, np.c_[1 - said, said], CLASSES)
    found = calibration(answers)(np.array([[0.05, 0.05], [0.3, 0.3], [0.3, 0.7]]))
    assert found == pytest.approx(np.array([[0.05, 0.05], [0.5, 0.5], [0.25, 0.75]]))
    said = np.tile([0.0, 1.0], 100)
    right = Scored(said == 1, said > 0.5, np.c_[1 - said, said], CLASSES)
    given = np.array([[0.25, 0.75]])
    assert calibration(right)(given) is given  # there is nothing to mend


def test_an_estimate_weighs_every_row_by_its_chances(home: Path) -> None:
    use_case = made_use_case(home)
    chances = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])
    answers = Scored(np.array([True] * 3), np.array([True, False, False]), chances, CLASSES)
    metrics = expected_metrics(use_case, answers, chances)
    assert set(metrics) == {"accuracy", "f1", "roc_auc"}
    found = point(metrics, 3)
    assert found["accuracy"] == pytest.approx((0.75 + 0.5 + 1) / 3)
    assert found["f1"] == pytest.approx(2 * 0.75 / (2 * 0.75 + 0.25 + 0.5))
    twice = float(metrics["accuracy"](np.array([[2.0, 1.0, 0.0]]))[0])
    assert twice == pytest.approx((2 * 0.75 + 0.5) / 3)


@pytest.mark.parametrize(("n_rows", "mended"), [(2, False), (3, False), (4, True)])
def test_two_rows_must_show_that_a_calibration_helps(n_rows: int, mended: bool) -> None:
    said = np.array([0.3, 0.3, 0.8, 0.8])[:n_rows]
    answers = Scored(said > 0.5, said > 0.5, np.c_[1 - said, said], CLASSES)
    given = np.array([[0.7, 0.3]])
    assert calibration(answers)(given).tolist() == ([[1, 0]] if mended else given.tolist())
