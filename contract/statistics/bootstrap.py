"""Vectorised bootstrap: resamples as row weights, the same ones for every metric and model."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from contract.statistics.metrics import Floats, Metric

CHUNK_CELLS = 2_000_000  # weights held at once: 16 MB


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


def estimate(metrics: Mapping[str, Metric], n_rows: int, resamples: int) -> dict[str, Estimate]:
    """Every metric on all `n_rows` rows with its 95 % interval, by name.

    Resamples in which a metric is undefined are left out of its interval.
    """
    drawn = bootstrap(metrics, n_rows, resamples)
    ones = np.ones((1, n_rows))
    return {
        name: Estimate(float(metric(ones)[0]), *interval(drawn[name]))
        for name, metric in metrics.items()
    }


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
