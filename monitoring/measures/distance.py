"""How far two samples lie apart, and how surely, from the counts of their cells alone.

Counts of all rows decide, so that nothing depends on a sample. Small cells are merged with their
neighbours until each has five expected rows on both sides, which the chi-square distribution asks
for (Cochran, 1952).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]  # (n_cells,)

MIN_EXPECTED = 5.0


@dataclass(frozen=True)
class Distance:
    """An effect between 0 and 1, and the p-value of the test that there is none."""

    effect: float
    p_value: float


def distance(reference: Counts, window: Counts) -> Distance:
    """Jensen-Shannon distance (base 2) of two samples, and the chi-square test of homogeneity.

    The distance is a metric, bounded, and defined where a cell is empty on one side (Lin, 1991;
    Endres and Schindelin, 2003), unlike the population stability index, which it follows for small
    changes: the divergence in nats is an eighth of it. Without any drift the divergence of samples
    of n and m rows in K cells is (K - 1)(1/n + 1/m)/8 on average, for eight times it is
    chi-square distributed (Grosse et al., 2002; for the index Yurdakul, 2018). That much is taken
    off, so that a small window does not look drifted for being small.
    """
    first, second = merged(reference, window)
    n, m = first.sum(), second.sum()
    if len(first) < 2 or not n or not m:
        return Distance(0.0, 1.0)
    # scipy takes a second to import, and windows without data never come here.
    from scipy.special import rel_entr
    from scipy.stats import chi2

    p, q = first / n, second / m
    middle = (p + q) / 2
    divergence = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
    by_chance = (len(p) - 1) * (1 / n + 1 / m) / 8
    effect = np.sqrt(max(divergence - by_chance, 0.0) / np.log(2))
    pooled = (first + second) / (n + m)
    statistic = ((p - q) ** 2 / pooled).sum() / (1 / n + 1 / m)
    return Distance(float(effect), float(chi2.sf(statistic, len(p) - 1)))


def merged(reference: Counts, window: Counts) -> tuple[Counts, Counts]:
    """Both counts over cells that have MIN_EXPECTED expected rows on the smaller side.

    Neighbours are merged in the order of the cells; a rest joins the last one.
    """
    total = reference + window
    smaller = min(reference.sum(), window.sum()) / max(total.sum(), 1)
    starts, filled = [0], 0.0
    for cell, expected in enumerate(total * smaller):
        if filled >= MIN_EXPECTED:
            starts.append(cell)
            filled = 0.0
        filled += float(expected)
    if filled < MIN_EXPECTED and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(reference, starts), np.add.reduceat(window, starts)
