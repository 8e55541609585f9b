"""The logistic function of many margins is that of each, to the last digit."""

import math

import numpy as np

from serving.scoring.leaf_masks import sigmoid, sigmoids

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
