import numpy as np
import pytest

from monitoring.measures.distances.psi import psi


def test_it_is_the_formula_on_large_samples() -> None:
    a, b = np.array([4_000_000, 3_000_000, 3_000_000]), np.array([3_000_000, 3_000_000, 4_000_000])
    assert psi(a, b) == pytest.approx(2 * 0.1 * np.log(4 / 3), rel=1e-4)


def test_it_is_large_and_finite_where_a_cell_is_empty() -> None:
    assert 1 < psi(np.array([500, 500, 0]), np.array([400, 300, 300])) < 10


def test_what_chance_gives_is_taken_off() -> None:
    random, shares = np.random.default_rng(0), np.full(20, 0.05)
    samples = [random.multinomial(500, shares) for _ in range(400)]
    found = [psi(random.multinomial(5_000, shares), sample) for sample in samples]
    by_chance = 19 * (1 / 5_000 + 1 / 500)  # 0.04: a fifth of the limit
    assert np.mean(found) < by_chance / 4


def test_a_small_sample_is_smoothed_and_lessened() -> None:
    a, b = np.array([30, 20, 40, 10]), np.array([5, 25, 15, 5])
    p, q = np.array([30.5, 20.5, 40.5, 10.5]) / 102, np.array([5.5, 25.5, 15.5, 5.5]) / 52
    index = sum((q - p) * np.log(q / p)) - 3 * (1 / 100 + 1 / 50)
    assert psi(a, b) == pytest.approx(index)
    assert psi(np.array([30, 20]), np.array([31, 19])) == 0
