"""How good the answers of a window are, against the reference's answers on its holdout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contract.statistics.bootstrap import bootstrap, interval
from contract.statistics.metrics import (
    SMALLER_IS_BETTER,
    Floats,
    Metric,
    Scored,
    defined,
    metrics_for,
    point,
)
from contract.use_case.model import UseCase
from contract.use_case.sections.monitoring import Monitoring

RESAMPLES = 200
MAX_SLICES = 30  # values of one column that are shown


@dataclass(frozen=True)
class PerformanceFall:
    """The main metric in a window against the reference; a fall above zero is worse.

    Intervals are at 95 %. `low` and `high` bound the fall, `value_low` and `value_high` the value.
    """

    metric: str
    reference: float
    value: float
    value_low: float
    value_high: float
    low: float
    high: float
    rows: int  # answered
    labels: int  # of them, with a label; of an estimate: the rows it rests on

    @property
    def coverage(self) -> float:
        """Share of the answered rows whose label has arrived."""
        return self.labels / self.rows if self.rows else 0.0

    def enough(self, policy: Monitoring) -> bool:
        """Whether the labels that have arrived may speak for the window."""
        return self.labels >= policy.min_labels and self.coverage >= policy.min_label_coverage

    def certain(self, policy: Monitoring) -> bool:
        """Whether the whole interval of the fall lies beyond the margin."""
        return self.low > policy.performance_margin


@dataclass(frozen=True)
class Baseline:
    """The main metric on the holdout: its value, and its values on resamples of the holdout."""

    metric: str
    value: float
    draws: Floats  # (n_resamples,)


def baseline(use_case: UseCase, holdout: Scored, resamples: int = RESAMPLES) -> Baseline:
    """What a window's performance is compared with: the main metric on the labelled holdout.

    In the metric's own unit, NaN where the holdout does not define it. The draws are bootstrap
    resamples of whole rows (Efron and Tibshirani, 1993, chapter 6).
    """
    name, n_rows = use_case.evaluation.metric, len(holdout.label)
    metric = {name: metrics_for(use_case, holdout)[name]}
    value = point(metric, n_rows)[name]
    return Baseline(name, value, bootstrap(metric, n_rows, resamples)[name])


def as_estimated(base: Baseline, value: float) -> Baseline:
    """The baseline of estimates, whose `value` is the holdout's own estimate.

    What a model's probabilities are off by, they are off by on both sides, and it is no fall.
    """
    return Baseline(base.metric, value, base.draws + (value - base.value))


def fall(
    base: Baseline, metrics: Mapping[str, Metric], n_rows: int, rows: int, seed: int = 1
) -> PerformanceFall | None:
    """How far the main metric lies below the baseline; None where it is undefined.

    `n_rows` rows stand behind the metrics, `rows` were answered; values are in the metric's own
    unit. KeyError where `metrics` lacks the main one. Window and holdout are independent
    samples, so the difference of their bootstrap values has the interval of the fall (Efron and
    Tibshirani, 1993, chapter 16).
    """
    metric = {base.metric: metrics[base.metric]}
    value = defined(point(metric, n_rows)).get(base.metric)
    if value is None:
        return None
    draws = bootstrap(metric, n_rows, len(base.draws), seed)[base.metric]
    worse = draws - base.draws if base.metric in SMALLER_IS_BETTER else base.draws - draws
    return PerformanceFall(
        base.metric, base.value, value, *interval(draws), *interval(worse), rows=rows, labels=n_rows
    )


@dataclass(frozen=True)
class WindowSlice:
    """The window's rows that share a value of a column. Shares and means are of the sample."""

    column: str
    value: str
    rows: int
    share: float
    reference_share: float
    labels: int
    metric: float | None  # main metric; None: too few labels
    low: float | None
    high: float | None
    reference_metric: float | None


@dataclass(frozen=True)
class WindowAnswers:
    """Answered rows: slice values, and the answers with labels on those rows that have one."""

    values: Mapping[str, Sequence[str]]  # slice column: (n_rows,)
    labelled: np.ndarray[tuple[int], np.dtype[np.bool_]]  # (n_rows,)
    scored: Scored  # of the labelled rows


def slices(
    use_case: UseCase,
    columns: Sequence[str],
    window: WindowAnswers,
    holdout: WindowAnswers,
    min_labels: int,
) -> tuple[WindowSlice, ...]:
    """Every value of the slice columns in the window, the most frequent first, MAX_SLICES each.

    Below `min_labels` labels a slice has no metric. KeyError for a column that a side lacks.
    """
    parts = []
    for column in columns:
        values, holdout_values = (np.asarray(side.values[column]) for side in (window, holdout))
        names, counts = np.unique(values, return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")][:MAX_SLICES]:
            here, there = values == name, holdout_values == name
            part = window.scored.rows(here[window.labelled])
            value, low, high = _figure(use_case, part, min_labels)
            reference, _, _ = _figure(use_case, holdout.scored.rows(there), min_labels)
            parts.append(
                WindowSlice(
                    column=column,
                    value=str(name),
                    rows=int(here.sum()),
                    share=float(here.mean()),
                    reference_share=float(there.mean()) if len(there) else float("nan"),
                    labels=len(part.label),
                    metric=value,
                    low=low,
                    high=high,
                    reference_metric=reference,
                )
            )
    return tuple(parts)


def _figure(
    use_case: UseCase, part: Scored, min_labels: int
) -> tuple[float | None, float | None, float | None]:
    n_rows, name = len(part.label), use_case.evaluation.metric
    if n_rows < min_labels:
        return None, None, None
    metric = {name: metrics_for(use_case, part)[name]}
    value = defined(point(metric, n_rows)).get(name)
    if value is None:
        return None, None, None
    return value, *interval(bootstrap(metric, n_rows, RESAMPLES)[name])
