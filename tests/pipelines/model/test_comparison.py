"""The comparison of two models: signs, pairing, slices, and what stays undefined."""

import math
from pathlib import Path

import numpy as np
import pytest

from contract.statistics.metrics import Scored
from contract.use_case.model import UseCase
from contract.use_case.sections.gates import Evaluation, Gates
from pipelines.model.comparison import Difference, compare, difference, shown_worse
from tests.conftest import made_use_case

N_ROWS = 600


def answers(noise: float, seed: int = 0) -> Scored:
    """A classifier that sees the truth through noise; the same rows and seed, the same noise."""
    label = np.random.default_rng(7).random(N_ROWS) < 0.4
    blurred = label + noise * np.random.default_rng(seed).normal(size=N_ROWS)
    chance = 1 / (1 + np.exp(-4 * (blurred - 0.5)))
    return Scored(label, chance > 0.5, np.column_stack([1 - chance, chance]), (False, True))


def judging_by(home: Path, metric: str) -> UseCase:
    gates = Gates(slice_min_rows=100)
    return made_use_case(home, {"evaluation": Evaluation(metric=metric), "gates": gates})


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "brier"])
def test_better_is_above_zero_whatever_the_metric(home: Path, metric: str) -> None:
    found = compare(judging_by(home, metric), answers(0.4), answers(0.8), {})
    assert 0 < found.difference.low < found.difference.value < found.difference.high
    turned = compare(judging_by(home, metric), answers(0.8), answers(0.4), {})
    assert turned.difference.value == pytest.approx(-found.difference.value)
    assert len(found.drawn) == 1000


def test_a_model_is_exactly_as_good_as_itself(home: Path) -> None:
    found = compare(judging_by(home, "roc_auc"), answers(0.5), answers(0.5), {})
    assert found.difference == Difference(0, 0, 0, 0)


def test_pairing_makes_the_interval_that_of_the_rows_differences(home: Path) -> None:
    one, other = answers(0.5), answers(0.6)
    found = compare(judging_by(home, "accuracy"), one, other, {}).difference
    rows = (one.prediction == one.label) * 1.0 - (other.prediction == other.label)
    assert found.value == pytest.approx(rows.mean())
    assert found.error == pytest.approx(rows.std() / math.sqrt(N_ROWS), rel=0.1)


def test_slices_with_enough_rows_are_all_there_and_small_ones_are_reported(home: Path) -> None:
    colour = np.array(["red"] * 400 + ["blue"] * 150 + ["grey"] * 50)
    number = np.arange(N_ROWS)
    groups = {"colour": colour, "number": number}
    found = compare(judging_by(home, "accuracy"), answers(0.5), answers(0.6), groups).slices
    by_colour = {s.value: s for s in found if s.column == "colour"}
    assert {name: s.rows for name, s in by_colour.items()} == {"red": 400, "blue": 150, "grey": 50}
    red = colour == "red"
    alone = compare(
        judging_by(home, "accuracy"), answers(0.5).rows(red), answers(0.6).rows(red), {}
    )
    assert by_colour["red"].difference == alone.difference
    assert len([s for s in found if s.column == "number"]) == 50


def test_a_slice_of_one_class_is_undefined_for_both(home: Path) -> None:
    one, other = answers(0.5), answers(0.6)
    (found, *_) = compare(judging_by(home, "roc_auc"), one, other, {"late": one.label}).slices
    assert math.isnan(found.challenger)
    assert math.isnan(found.champion)
    assert math.isnan(found.difference.error)


def test_an_undefined_resample_widens_the_interval() -> None:
    drawn = np.linspace(-1, 1, 1000)
    whole = difference(0.0, drawn)
    drawn[500:520] = math.nan  # 2 %: below the tail
    some = difference(0.0, drawn)
    assert some.low < whole.low
    assert some.high > whole.high
    drawn[500:530] = math.nan  # 3 %: the tail itself is unknown
    assert difference(0.0, drawn).low == -math.inf


def test_holm_adjusts_by_rank() -> None:
    found = [Difference(-z * 0.01, 0, 0, 0.01) for z in (1.6449, 3.0902, 2.3263)]
    assert shown_worse(found, 0.0) == pytest.approx([0.05, 0.003, 0.02], rel=1e-3)
    certain = [Difference(-0.2, 0, 0, 0), Difference(-0.1, 0, 0, 0)]
    assert shown_worse(certain, 0.1) == [0, 1]
    assert math.isnan(shown_worse([Difference(0, 0, 0, math.nan)], 0.1)[0])
