import numpy as np
import pytest
from scipy.stats import chi2_contingency

from monitoring.measures.bins import Counts
from monitoring.measures.distance import distance, merged
from monitoring.measures.distances.registry import DISTANCES


def counts(*values: int) -> Counts:
    return np.array(values, dtype=np.int64)


def test_the_test_is_scipy_s() -> None:
    a, b = counts(400, 300, 300), counts(300, 300, 400)
    expected = chi2_contingency([a, b], correction=False).pvalue
    assert distance(a, b).p_value == pytest.approx(expected)


@pytest.mark.parametrize("name", DISTANCES)
def test_disjoint_samples_are_as_far_as_can_be_and_equal_ones_at_none(name: str) -> None:
    statistic = DISTANCES[name]
    far = distance(counts(100_000, 0), counts(0, 100_000), statistic)
    assert far.effect == pytest.approx(min(statistic.most, 24.4), rel=0.01)
    assert far.p_value == 0
    same = distance(counts(50, 50), counts(50, 50), statistic)
    assert (same.effect, same.p_value) == (0, 1)


SIZES = [(100, 10), (500, 40), (20_000, 40)]


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("n_rows", "n_cells"), SIZES)
def test_samples_of_one_source_are_near_whatever_their_size(
    n_rows: int, n_cells: int, name: str
) -> None:
    random, statistic = np.random.default_rng(n_rows), DISTANCES[name]
    shares = np.full(n_cells, 1 / n_cells)
    found = [
        distance(random.multinomial(10_000, shares), random.multinomial(n_rows, shares), statistic)
        for _ in range(400)
    ]
    effects = np.array([f.effect for f in found])
    p_values = np.array([f.p_value for f in found])
    assert np.median(effects) < statistic.limit / 2  # 0.1 and more uncorrected
    assert np.mean(p_values < 0.05) == pytest.approx(0.05, abs=0.035)


@pytest.mark.parametrize("empty", [counts(0), counts(0, 0), counts(5, 0)])
def test_nothing_to_compare_is_no_distance(empty: Counts) -> None:
    found = distance(empty, np.zeros_like(empty))
    assert (found.effect, found.p_value) == (0, 1)


def test_small_cells_join_their_neighbours_until_five_rows_are_expected() -> None:
    first, second = merged(counts(0, 40, 2, 2, 56), counts(0, 40, 2, 2, 56))
    assert first.tolist() == [40, 60]
    assert second.tolist() == [40, 60]
    burst, _ = merged(counts(100, 0), counts(80, 20))
    assert len(burst) == 2  # a new category that many rows have stays a cell of its own


@pytest.mark.parametrize(
    ("cells", "joined"),
    [
        ((40, 40, 2), [40, 42]),  # a rest joins the last one
        ((40, 5), [40, 5]),  # five are enough
        ((40, 4), [44]),
        ((4,), [4]),
        ((2, 2, 2, 40), [6, 40]),
    ],
)
def test_a_cell_that_is_left_joins_the_last_one(cells: tuple[int, ...], joined: list[int]) -> None:
    first, second = merged(counts(*cells), counts(*cells))
    assert (first.tolist(), second.tolist()) == (joined, joined)
