import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from monitoring.measures.distances.jensen_shannon import jensen_shannon


def test_it_is_scipy_s_on_large_samples() -> None:
    a, b = np.array([4_000_000, 3_000_000, 3_000_000]), np.array([3_000_000, 3_000_000, 4_000_000])
    assert jensen_shannon(a, b) == pytest.approx(jensenshannon(a, b, base=2), rel=1e-5)
