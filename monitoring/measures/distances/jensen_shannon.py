"""The Jensen-Shannon distance: bounded, a metric, defined where a cell is empty on one side."""

import numpy as np

from monitoring.measures.bins import Counts


def jensen_shannon(reference: Counts, window: Counts) -> float:
    """Jensen-Shannon distance (base 2, without unit) of two samples less what chance gives.

    `reference` and `window` are rows in the same cells, (n_cells,) each, with a row on either side.
    The square root of the divergence is a metric between 0 and 1 (Lin, 1991; Endres and Schindelin,
    2003), unlike the population stability index, which it follows for small changes: the divergence
    in nats is an eighth of it. Without any drift the divergence of samples of n and m rows in K
    cells is (K - 1)(1/n + 1/m)/8 on average, for eight times it is chi-square distributed (Grosse
    et al., 2002; for the index Yurdakul, 2018). That much is taken off, so that a small window does
    not look drifted for being small.
    """
    # scipy takes a second to import, and windows without data never come here.
    from scipy.special import rel_entr

    n, m = reference.sum(), window.sum()
    p, q = reference / n, window / m
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
    by_chance = (len(p) - 1) * (1 / n + 1 / m) / 8
    return float(np.sqrt(max(divergence - by_chance, 0.0) / np.log(2)))
