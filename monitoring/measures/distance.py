"""How far two samples lie apart, and how surely, from the counts of their cells alone.

Counts of all rows decide, so that nothing depends on a sample. Small cells are merged with their
neighbours until each has five expected rows on both sides, which the chi-square distribution asks
for (Cochran, 1952).
"""

from dataclasses import dataclass

import numpy as np

from monitoring.measures.bins import Counts
from monitoring.measures.distances.registry import DISTANCES, Statistic

MIN_EXPECTED = 5.0


@dataclass(frozen=True)
class Distance:
    """An effect, 0 for samples alike, and the p-value of the test that there is none."""

    effect: float
    p_value: float


def distance(
    reference: Counts, window: Counts, statistic: Statistic = DISTANCES["jensen_shannon"]
) -> Distance:
    """How far a window lies from the reference, and the chi-square test of homogeneity.

    Both are rows in the same cells, (n_cells,) each. Where a side has no rows, or all fall into one
    cell, there is nothing to tell apart: effect 0, p 1. The test is Pearson's (1900) on the counts
    with small cells merged, with one degree of freedom less than cells.
    """
    first, second = merged(reference, window)
    n, m = first.sum(), second.sum()
    if len(first) < 2 or not n or not m:
        return Distance(0.0, 1.0)
    # scipy takes a second to import, and windows without data never come here.
    from scipy.stats import chi2

    p, q = first / n, second / m
    pooled = (first + second) / (n + m)
    chi_square = ((p - q) ** 2 / pooled).sum() / (1 / n + 1 / m)
    return Distance(statistic.effect(first, second), float(chi2.sf(chi_square, len(p) - 1)))


def merged(reference: Counts, window: Counts) -> tuple[Counts, Counts]:
    """Both counts, (n_cells,), over cells with MIN_EXPECTED expected rows on the smaller side.

    Neighbours are merged in the order of the cells; a rest joins the last one. Both come back with
    the same number of cells, at least one.
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
