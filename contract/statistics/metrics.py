"""Metrics as functions of row weights, so that one definition gives the value and its bootstrap.

Every metric takes weights (n_resamples, n_rows) and answers (n_resamples,): ones give the point
estimate, counts of a resample give that resample's. Rows with weight zero don't count.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contract.errors import BadInput
from contract.use_case.loader import nearest
from contract.use_case.model import UseCase

Floats = npt.NDArray[np.float64]
Metric = Callable[[Floats], Floats]  # weights (n_resamples, n_rows) -> (n_resamples,)

EPSILON = 1e-15
CALIBRATION_BINS = 10
SMALLER_IS_BETTER = frozenset(
    {"log_loss", "brier", "calibration_error", "mae", "rmse", "median_absolute_error"}
)


@dataclass(frozen=True)
class Scored:
    """Answers of a model on labelled rows: labels and predictions (n_rows,), classifiers also
    probabilities (n_rows, n_classes) in the order of `classes`. With `weight` (n_rows,) a row
    counts as so many in every metric."""

    label: npt.NDArray[np.generic]
    prediction: npt.NDArray[np.generic]
    probability: Floats | None = None
    classes: tuple[object, ...] = ()
    weight: Floats | None = None

    def rows(self, mask: npt.NDArray[np.bool_]) -> "Scored":
        """The answers on the rows of a mask (n_rows,)."""
        probability = None if self.probability is None else self.probability[mask]
        weight = None if self.weight is None else self.weight[mask]
        return Scored(self.label[mask], self.prediction[mask], probability, self.classes, weight)


def metrics_for(use_case: UseCase, scored: Scored) -> dict[str, Metric]:
    """The metrics of the use case's task over these answers, by name.

    Binary: ROC AUC, average precision, log loss, Brier score (Brier, 1950), expected calibration
    error, accuracy, precision, recall and F1 of the positive class. Multiclass: log loss, accuracy,
    balanced accuracy (mean recall), macro F1, one-against-rest ROC AUC (mean over the classes), and
    the calibration error of the largest probability. Regression: MAE, RMSE, R², median absolute
    error and bias (mean of prediction minus label), in the unit of the target. Probabilities enter
    log loss as at least 1e-15. Weights of the rows are multiplied with those of the caller.
    BadInput where the declared positive class is none of the classes.
    """
    metrics = _of_task(use_case, scored)
    if scored.weight is None:
        return metrics
    return {name: _weighed(metric, scored.weight) for name, metric in metrics.items()}


def _of_task(use_case: UseCase, scored: Scored) -> dict[str, Metric]:
    if use_case.task == "regression":
        return _regression(scored)
    if use_case.task == "binary":
        return _binary(scored, positive_index(use_case, scored.classes))
    return _multiclass(scored)


def _weighed(metric: Metric, weight: Floats) -> Metric:
    """The metric of rows that count as their weight; NaN where all of them weigh nothing."""

    def weighed(weights: Floats) -> Floats:
        product = weights * weight
        some = product.sum(axis=1) > 0
        values = np.full(len(product), np.nan)
        if some.any():
            values[some] = metric(product[some])
        return values

    return weighed


def point(metrics: Mapping[str, Metric], n_rows: int) -> dict[str, float]:
    """Every metric on all `n_rows` rows, without intervals; NaN where it is undefined there."""
    ones = np.ones((1, n_rows))
    return {name: float(metric(ones)[0]) for name, metric in metrics.items()}


def metric_values(use_case: UseCase, scored: Scored) -> dict[str, float]:
    """Every metric of the task on all labelled rows; NaN where it is undefined."""
    return point(metrics_for(use_case, scored), len(scored.label))


def defined(values: Mapping[str, float]) -> dict[str, float]:
    """The metrics that have a finite value."""
    return {name: value for name, value in values.items() if np.isfinite(value)}


def check_metric(use_case: UseCase, metrics: Mapping[str, Metric]) -> None:
    """BadInput unless every metric that the use case names is one of its task."""
    declared = [use_case.evaluation.metric, *use_case.gates.minimum, *use_case.gates.maximum]
    for name in declared:
        if name not in metrics:
            raise BadInput(
                f"No metric {name!r} for task {use_case.task}; {nearest(name, list(metrics))}"
            )


def positive_index(use_case: UseCase, classes: tuple[object, ...]) -> int:
    """Index of the positive class: the declared one, else the last in order.

    BadInput where the declared one is none of `classes`.
    """
    if use_case.positive is None:
        return len(classes) - 1
    if use_case.positive not in classes:
        raise BadInput(f"positive: {use_case.positive!r} is no class, found {list(classes)}.")
    return classes.index(use_case.positive)


def better(name: str, a: float, b: float) -> bool:
    """Whether value `a` of a metric is better than `b`."""
    return a < b if name in SMALLER_IS_BETTER else a > b


def _binary(scored: Scored, positive: int) -> dict[str, Metric]:
    assert scored.probability is not None, "a classifier answers probabilities"
    y = scored.label == scored.classes[positive]
    p = scored.probability[:, positive]
    predicted = scored.prediction == scored.classes[positive]
    chance = np.clip(np.where(y, p, 1 - p), EPSILON, 1)
    true_positive, wrong = y & predicted, y != predicted
    return {
        "roc_auc": _roc_auc(y, p),
        "average_precision": _average_precision(y, p),
        "log_loss": _mean(-np.log(chance)),
        "brier": _mean((p - y) ** 2),
        "calibration_error": _calibration_error(y, p),
        "accuracy": _mean(~wrong),
        "precision": _ratio(true_positive, predicted),
        "recall": _ratio(true_positive, y),
        "f1": _ratio(2.0 * true_positive, 2.0 * true_positive + wrong),
    }


def _multiclass(scored: Scored) -> dict[str, Metric]:
    assert scored.probability is not None, "a classifier answers probabilities"
    classes = np.asarray(scored.classes)
    y, predicted = (v[:, None] == classes[None, :] for v in (scored.label, scored.prediction))
    p = scored.probability
    chance = np.clip((p * y).sum(axis=1), EPSILON, 1)
    right = scored.label == scored.prediction
    k = range(len(classes))
    f1 = [_ratio(2.0 * (y & predicted)[:, i], 1.0 * y[:, i] + predicted[:, i]) for i in k]
    recall = [_ratio((y & predicted)[:, i], y[:, i]) for i in k]
    auc = [_roc_auc(y[:, i], p[:, i]) for i in k]
    return {
        "log_loss": _mean(-np.log(chance)),
        "accuracy": _mean(right),
        "balanced_accuracy": _average(recall),
        "f1_macro": _average(f1),
        "roc_auc_ovr": _average(auc),
        "calibration_error": _calibration_error(right, p.max(axis=1)),
    }


def _regression(scored: Scored) -> dict[str, Metric]:
    y = scored.label.astype(float)
    error = scored.prediction.astype(float) - y

    def rmse(weights: Floats) -> Floats:
        return np.sqrt(_mean(error**2)(weights))

    def r2(weights: Floats) -> Floats:
        spread = _mean(y**2)(weights) - _mean(y)(weights) ** 2
        return 1 - _divide(_mean(error**2)(weights), spread)

    return {
        "mae": _mean(np.abs(error)),
        "rmse": rmse,
        "r2": r2,
        "median_absolute_error": _median(np.abs(error)),
        "bias": _mean(error),
    }


def _mean(values: npt.NDArray[np.generic]) -> Metric:
    numbers: Floats = values.astype(float)
    return lambda weights: weights @ numbers / weights.sum(axis=1)


def _ratio(above: npt.NDArray[np.generic], below: npt.NDArray[np.generic]) -> Metric:
    over: Floats = above.astype(float)
    under: Floats = below.astype(float)
    return lambda weights: _divide(weights @ over, weights @ under)


def _average(parts: list[Metric]) -> Metric:
    return lambda weights: np.mean([part(weights) for part in parts], axis=0)


def _divide(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0)


def _median(values: Floats) -> Metric:
    order = np.argsort(values, kind="stable")

    def median(weights: Floats) -> Floats:
        reached = np.cumsum(weights[:, order], axis=1)
        middle = (reached >= reached[:, -1:] / 2).argmax(axis=1)
        at_middle: Floats = values[order][middle]
        return at_middle

    return median


def _ranked(
    y: npt.NDArray[np.bool_], p: Floats
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows by falling score, and where each run of equal scores ends."""
    order = np.argsort(-p, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(p[order]) != 0, True))


def _roc_auc(y: npt.NDArray[np.bool_], p: Floats) -> Metric:
    """Area under the ROC curve by the trapezoid rule over runs of equal scores, which is the
    Mann-Whitney statistic with ties counted half (Hanley and McNeil, 1982)."""
    order, ends = _ranked(y, p)
    positive = y[order].astype(float)

    def roc_auc(weights: Floats) -> Floats:
        ranked = weights[:, order]
        hits = np.cumsum(ranked * positive, axis=1)[:, ends]
        misses = np.cumsum(ranked * (1 - positive), axis=1)[:, ends]
        steps = np.diff(misses, axis=1, prepend=0)
        heights = hits - np.diff(hits, axis=1, prepend=0) / 2
        return _divide((steps * heights).sum(axis=1), hits[:, -1] * misses[:, -1])

    return roc_auc


def _average_precision(y: npt.NDArray[np.bool_], p: Floats) -> Metric:
    """Sum of precision times the step in recall over falling thresholds, as in scikit-learn."""
    order, ends = _ranked(y, p)
    positive = y[order].astype(float)

    def average_precision(weights: Floats) -> Floats:
        ranked = weights[:, order]
        hits = np.cumsum(ranked * positive, axis=1)[:, ends]
        precision = _divide(hits, np.cumsum(ranked, axis=1)[:, ends])
        gained = np.diff(hits, axis=1, prepend=0)
        return _divide((np.nan_to_num(precision) * gained).sum(axis=1), hits[:, -1])

    return average_precision


def _calibration_error(y: npt.NDArray[np.bool_], p: Floats) -> Metric:
    """Expected calibration error over ten equal bins of probability (Naeini et al., 2015)."""
    bins = np.minimum((p * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gap = np.zeros((len(p), CALIBRATION_BINS))
    gap[np.arange(len(p)), bins] = y - p
    return lambda weights: np.abs(weights @ gap).sum(axis=1) / weights.sum(axis=1)
