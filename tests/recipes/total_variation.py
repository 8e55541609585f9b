"""Total variation: half of what the shares of two samples differ by, cell by cell."""

import numpy as np

from monitoring.measures.bins import Counts


def total_variation(reference: Counts, window: Counts) -> float:
    """From 0 (alike) to 1, less what chance gives: about the sum of the standard errors.

    `reference` and `window` are rows in the same cells, (n_cells,) each, with a row on either side.
    A share p of n rows lies off by sqrt(2 p (1 - p) / (pi n)) on average.
    """
    n, m = reference.sum(), window.sum()
    together = (reference + window) / (n + m)
    by_chance = np.sqrt(2 * together * (1 - together) / np.pi * (1 / n + 1 / m)).sum() / 2
    apart = np.abs(reference / n - window / m).sum() / 2
    return float(max(apart - by_chance, 0.0))
