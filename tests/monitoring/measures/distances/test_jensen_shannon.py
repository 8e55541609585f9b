import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from monitoring.measures.distances.jensen_shannon import jensen_shannon


def test_it_is_scipy_s_on_large_samples() -> None:
    a, b = np.array([4_000_000, 3_000_000, 3_000_000]), np.array([3_000_000, 3_000_000, 4_000_000])
    assert jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2), rel=1e-5)


def test_what_chance_gives_is_taken_off() -> None:
    a, b = np.array([30, 20, 40, 10]), np.array([5, 25, 15, 5])
    p, q = a / 100, b / 50
    divergence = jensenshannon(p, q, base=np.e) ** 2 - 3 * (1 / 100 + 1 / 50) / 8
    assert jensen_shannon(a, b) == pytest.approx(np.sqrt(divergence / np.log(2)))
    assert jensen_shannon(np.array([30, 20]), np.array([31, 19])) == 0


def test_samples_without_a_cell_in_common_are_one_apart() -> None:
    far = jensen_shannon(np.array([10**8, 0]), np.array([0, 10**8]))
    assert far == pytest.approx(1, abs=1e-6)
