"""Vectorised bootstrap: resamples as row weights, the same ones for every metric and model."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from contract.statistics.metrics import Floats, Metric, Scored, point

CHUNK_CELLS = 200_000  # weights held at once: 1.6 MB stay in the processor's cache
# Resamples of many rows: of so few rows, with so many of the rarest class, within so many subsets.
FEWEST_ROWS, MOST_ROWS = 5_000, 50_000
ROWS_OF_A_CLASS = 100
SUBSETS = 5


@dataclass(frozen=True)
class Estimate:
    """A metric's value on the rows, its 95 % percentile interval, and its resamples' values."""

    value: float
    low: float
    high: float


def bootstrap(
    metrics: Mapping[str, Metric], n_rows: int, resamples: int, seed: int = 0
) -> dict[str, Floats]:
    """Values of every metric over seeded resamples with replacement, (resamples,) each.

    Percentile bootstrap (Efron and Tibshirani, 1993, chapter 13). Metrics in one call see the same
    resamples, so differences between them are paired.
    """
    random = np.random.default_rng(seed)
    values: dict[str, list[Floats]] = {name: [] for name in metrics}
    chunk = max(1, CHUNK_CELLS // max(n_rows, 1))
    for start in range(0, resamples, chunk):
        weights = _weights(random, min(chunk, resamples - start), n_rows)
        for name, metric in metrics.items():
            values[name].append(metric(weights))
    return {name: np.concatenate(parts) for name, parts in values.items()}


def estimate(
    measure: Callable[[Scored], Mapping[str, Metric]], scored: Scored, resamples: int
) -> dict[str, Estimate]:
    """Every metric of `measure` on all answers with its 95 % interval, by name.

    Of many rows the interval comes from resamples of m rows alone, so that its cost does not grow
    with the rows. Resamples in which a metric is undefined are left out of its interval.
    """
    n_rows, metrics = len(scored.label), measure(scored)
    values, m = point(metrics, n_rows), subset_rows(scored)
    if n_rows <= 2 * m:
        drawn = bootstrap(metrics, n_rows, resamples)
    else:
        off = _deviations(measure, scored, m, resamples)
        drawn = {name: value + off[name] for name, value in values.items()}
    return {name: Estimate(value, *interval(drawn[name])) for name, value in values.items()}


def subset_rows(scored: Scored) -> int:
    """How many rows a resample needs to stand for all: more where a class is rare."""
    rarest = min((float(np.mean(scored.label == name)) for name in scored.classes), default=1.0)
    wanted = MOST_ROWS if rarest == 0 else math.ceil(ROWS_OF_A_CLASS / rarest)
    return min(MOST_ROWS, max(FEWEST_ROWS, wanted))


def _deviations(
    measure: Callable[[Scored], Mapping[str, Metric]], scored: Scored, m: int, resamples: int
) -> dict[str, Floats]:
    """By how far the metrics of resamples lie off, as if each were of all rows, (resamples,) each.

    The m out of n bootstrap (Bickel, Götze and van Zwet, 1997): a resample of m rows varies more
    than one of all n by the root of n over m, at which our metrics converge. As in the bag of
    little bootstraps (Kleiner, Talwalkar, Sarkar and Jordan, 2014) it is done within several
    subsets of m rows, here with their deviations pooled: no single one decides the width.
    """
    n_rows, random = len(scored.label), np.random.default_rng(0)
    parts: dict[str, list[Floats]] = {}
    for seed in range(SUBSETS):
        mask = np.zeros(n_rows, dtype=bool)
        mask[random.choice(n_rows, m, replace=False)] = True
        metrics = measure(scored.rows(mask))
        drawn = bootstrap(metrics, m, math.ceil(resamples / SUBSETS), seed)
        for name, value in point(metrics, m).items():
            off = (drawn[name] - value) * math.sqrt(m / n_rows)
            parts.setdefault(name, []).append(off)
    return {name: np.concatenate(of_subset) for name, of_subset in parts.items()}


def interval(values: Floats, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of resampled values (resamples,).

    NaN values are left out; both ends are NaN when none is left. Efron and Tibshirani, 1993,
    chapter 13.
    """
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _weights(random: np.random.Generator, resamples: int, n_rows: int) -> Floats:
    drawn = random.integers(0, n_rows, size=(resamples, n_rows))
    drawn += np.arange(resamples)[:, None] * n_rows
    counts = np.bincount(drawn.ravel(), minlength=resamples * n_rows)
    return counts.reshape(resamples, n_rows).astype(float)
