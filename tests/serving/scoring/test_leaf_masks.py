"""Many rows, and the logistic function of many margins, answer as each, to the last digit."""

import math
from bisect import bisect_left

import numpy as np
import pytest

from serving.scoring.leaf_masks import (
    BLOCK_ROWS,
    FEW_ROWS,
    MaskArrays,
    open_masks,
    sigmoid,
    sigmoids,
)

EDGES = [0.0, -0.0, 5e-324, -5e-324, 36.8, -36.8, 745.2, -745.2, 1e308, -1e308, math.inf, -math.inf]


def test_many_margins_have_the_digits_of_each() -> None:
    drawn = np.random.default_rng(11).normal(0, 8, 20_000)
    margins = np.concatenate([drawn, EDGES])
    assert sigmoids(margins).tolist() == [sigmoid(margin) for margin in margins.tolist()]


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(sigmoid(math.nan))
    assert np.isnan(sigmoids(np.array([math.nan]))).all()


def test_no_margins_have_no_chances() -> None:
    assert sigmoids(np.empty(0)).shape == (0,)


@pytest.mark.parametrize("trees", [1, 2, 7, 200])
@pytest.mark.parametrize(
    "rows",
    [1, 2, FEW_ROWS, FEW_ROWS + 1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + FEW_ROWS + 1],
)
def test_rows_together_have_the_digits_of_each(trees: int, rows: int) -> None:
    """Leaves of very different sizes, so another order of adding shows."""
    drawn = np.random.default_rng(trees)
    leaves = drawn.normal(size=(trees, 32)) * 10.0 ** drawn.integers(-9, 9, size=(trees, 32))
    reached = drawn.integers(0, 32, size=(50, trees))  # in each interval, of each tree
    masks = (1 << reached).astype(np.uint32)
    splits = np.arange(48, dtype=float)  # 49 intervals, and null
    arrays = MaskArrays(masks, leaves, 0.1, "identity", [np.arange(50)], [splits])
    model = open_masks(arrays.pack(), [("x", None)])
    asked = [None, *drawn.uniform(-1, 49, rows - 1)]

    def added(value: float | None) -> float:
        interval = 49 if value is None else bisect_left(splits.tolist(), value)
        total = 0.0
        for tree, leaf in enumerate(reached[interval]):
            total += float(leaves[tree, leaf])
        return total + 0.1

    expected = [added(value) for value in asked]
    assert model({"x": asked})[:, 0].tolist() == expected
    assert [model.run_one({"x": [value]})[0] for value in asked] == expected
