"""The population stability index, which banks ask for: unbounded, smoothed for empty cells."""

import numpy as np

from monitoring.measures.bins import Counts

SMOOTHING = 0.5  # rows added to each cell of either side


def psi(reference: Counts, window: Counts) -> float:
    """Population stability index (nats, 0 and above) of two samples less what chance gives.

    `reference` and `window` are rows in the same cells, (n_cells,) each, with a row on either side.
    The sum over cells of (q - p) ln(q / p), which is Jeffreys' divergence (Jeffreys, 1946; as an
    index of score cards: Siddiqi, 2006). Half a row is added to each cell (Krichevsky and Trofimov,
    1981), so that an empty one makes it large and not infinite. Without any drift the index of
    samples of n and m rows in K cells is (K - 1)(1/n + 1/m) on average, for it is a multiple of a
    chi-square (Yurdakul, 2018). That much is taken off, so that a small window does not look
    drifted for being small.
    """
    n, m, k = reference.sum(), window.sum(), len(reference)
    p = (reference + SMOOTHING) / (n + SMOOTHING * k)
    q = (window + SMOOTHING) / (m + SMOOTHING * k)
    index = ((q - p) * np.log(q / p)).sum()
    by_chance = (k - 1) * (1 / n + 1 / m)
    return float(max(index - by_chance, 0.0))
