"""Comparison: challenger and champion on the same rows, by a paired bootstrap of the difference.

Differences are turned so that above zero the challenger is better, whatever the metric.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contract.statistics.bootstrap import bootstrap
from contract.statistics.metrics import SMALLER_IS_BETTER, Floats, Metric, Scored, metrics_for
from contract.use_case.model import UseCase

MIN_RESAMPLES = 1000
LEVEL = 0.95
SLICES_REPORTED = 50  # of a column; slices with enough rows to be judged always are

Groups = Mapping[str, npt.NDArray[np.generic]]  # column: its value on each row, (n_rows,)


@dataclass(frozen=True)
class Difference:
    """By how much the challenger is better, with the ends of the 95 % percentile interval and the
    standard error, all from the resamples."""

    value: float
    low: float
    high: float
    error: float


@dataclass(frozen=True)
class SliceDifference:
    """The main metric on the rows that share a value of a column; NaN where it is undefined."""

    column: str
    value: str
    rows: int
    challenger: float
    champion: float
    difference: Difference

    @property
    def name(self) -> str:
        """How reasons call it."""
        return f"{self.column}={self.value}"


@dataclass(frozen=True)
class Comparison:
    """The main metric of both on the holdout, and on its slices."""

    metric: str
    challenger: float
    champion: float
    difference: Difference
    slices: tuple[SliceDifference, ...]
    drawn: tuple[float, ...]  # the difference in each resample


def compare(
    use_case: UseCase,
    challenger: Scored,
    champion: Scored,
    groups: Groups,
    undefined: float = math.nan,
) -> Comparison:
    """Compare two models' answers on the same rows by the main metric.

    `undefined` is what the second one's metric counts as where it has no value.
    """
    resamples = max(MIN_RESAMPLES, use_case.evaluation.resamples)
    metric = use_case.evaluation.metric
    theirs, drawn = _paired(use_case, challenger, champion, resamples, undefined)
    return Comparison(
        metric=metric,
        challenger=theirs[0],
        champion=theirs[1],
        difference=difference(gain(metric, *theirs), drawn),
        slices=tuple(_slices(use_case, challenger, champion, groups, resamples)),
        drawn=tuple(drawn.tolist()),
    )


def gain(metric: str, challenger: float, champion: float) -> float:
    """By how much the challenger's value is better."""
    return champion - challenger if metric in SMALLER_IS_BETTER else challenger - champion


def difference(value: float, drawn: Floats) -> Difference:
    """What the resampled differences (resamples,) say about the difference.

    The interval is the percentile one (Efron and Tibshirani, 1993, chapter 13). A resample in
    which the metric is undefined counts as the worst below and as the best above, so that it
    widens the interval and never flatters.
    """
    unknown = np.isnan(drawn)
    tail = (1 - LEVEL) / 2
    # "lower" and "higher" take a resample's own value: between an infinite one and a finite one
    # there is nothing to interpolate.
    low = np.quantile(np.where(unknown, -np.inf, drawn), tail, method="lower")
    high = np.quantile(np.where(unknown, np.inf, drawn), 1 - tail, method="higher")
    defined = drawn[~unknown]
    error = float(defined.std(ddof=1)) if 2 * len(defined) > len(drawn) else math.nan
    return Difference(value, float(low), float(high), error)


def _paired(
    use_case: UseCase,
    challenger: Scored,
    champion: Scored,
    resamples: int,
    undefined: float = math.nan,
) -> tuple[tuple[float, float], Floats]:
    """The metric of both on all rows, and its difference in each resample, (resamples,)."""
    name = use_case.evaluation.metric
    n_rows = len(challenger.label)
    metrics: dict[str, Metric] = {
        "challenger": metrics_for(use_case, challenger)[name],
        "champion": _filled(metrics_for(use_case, champion)[name], undefined),
    }
    ones = np.ones((1, n_rows))
    values = bootstrap(metrics, n_rows, resamples)
    sign = -1 if name in SMALLER_IS_BETTER else 1
    drawn: Floats = sign * (values["challenger"] - values["champion"])
    points = (float(metrics["challenger"](ones)[0]), float(metrics["champion"](ones)[0]))
    return points, drawn


def _filled(metric: Metric, undefined: float) -> Metric:
    def filled(weights: Floats) -> Floats:
        values = metric(weights)
        return np.where(np.isnan(values), undefined, values)

    return filled


def _slices(
    use_case: UseCase, challenger: Scored, champion: Scored, groups: Groups, resamples: int
) -> Iterator[SliceDifference]:
    for column, values in groups.items():
        names, counts = np.unique(values, return_counts=True)
        for shown, i in enumerate(np.argsort(-counts, kind="stable")):
            if counts[i] < use_case.gates.slice_min_rows and shown >= SLICES_REPORTED:
                break
            mask = values == names[i]
            parts = (challenger.rows(mask), champion.rows(mask))
            theirs, drawn = _paired(use_case, *parts, resamples)
            gained = difference(gain(use_case.evaluation.metric, *theirs), drawn)
            yield SliceDifference(column, str(names[i]), int(counts[i]), *theirs, gained)


def shown_worse(differences: Sequence[Difference], margin: float) -> list[float]:
    """Holm-adjusted p-values of "the challenger is worse by more than the margin", in order.

    One-sided z-tests with the bootstrap's standard error; Holm (1979) keeps the chance of any
    false alarm below the level, however the slices overlap. NaN in, NaN out.
    """
    p_values = [_p_worse(d, margin) for d in differences]
    adjusted = [math.nan] * len(p_values)
    defined = [i for i, p in enumerate(p_values) if not math.isnan(p)]
    reached = 0.0
    for rank, i in enumerate(sorted(defined, key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(defined) - rank) * p_values[i]))
        adjusted[i] = reached
    return adjusted


def _p_worse(difference: Difference, margin: float) -> float:
    above = difference.value + margin
    if difference.error == 0:
        return float(above >= 0)
    return 0.5 * math.erfc(-above / difference.error / math.sqrt(2))
