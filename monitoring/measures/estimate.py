"""Performance before any label arrives: confidence-based estimation from calibrated probabilities.

A row that is answered with calibrated probability c for a class has that class as its label with
chance c. So each row counts as every class with its chance, and any metric of weighted rows gives
its expected confusion matrix and what follows from it (CBPE; Garg et al., 2022, and NannyML's
documentation of its performance estimator). It sees changed inputs. It cannot see a changed
relation between inputs and label, since the probabilities know nothing of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from contract.statistics.metrics import Floats, Metric, Scored, metrics_for
from contract.use_case.model import UseCase
from monitoring.measures.answers import unlabelled
from monitoring.measures.bins import apart
from monitoring.measures.expected_loss import loss_model
from monitoring.windows.reference import Rows

Estimated = Callable[[Rows], dict[str, Metric]]

NAMES = ("accuracy", "f1", "roc_auc", "f1_macro", "roc_auc_ovr")
Calibration = Callable[[Floats], Floats]  # probabilities (n_rows, n_classes) -> the same shape


@dataclass(frozen=True)
class PerformanceEstimate:
    """Metrics of rows whatever labels they have, and the same of the holdout's."""

    of: Estimated
    of_holdout: dict[str, Metric]


def estimate_of(holdout: Rows, scored: Scored, use_case: UseCase) -> PerformanceEstimate | None:
    """How performance is estimated, by what the holdout shows; None where it shows too little.

    Of classes by calibrated probabilities, of numbers by a model of the losses.
    """
    if not scored.classes:
        model = loss_model(holdout, scored, use_case)
        return PerformanceEstimate(model.expected, model.on_holdout()) if model else None
    calibrated = calibration(scored)

    def expected(answers: Scored) -> dict[str, Metric]:
        assert answers.probability is not None, "a classifier answers probabilities"
        return expected_metrics(use_case, answers, calibrated(answers.probability))

    return PerformanceEstimate(
        lambda rows: expected(unlabelled(rows.answers, use_case, scored.classes)), expected(scored)
    )


def calibration(holdout: Scored) -> Calibration:
    """A map to calibrated probabilities: isotonic for each class, if the holdout asks for it.

    Isotonic regression (Zadrozny and Elkan, 2002) is fitted on every other row and used only where
    it brings the other rows a lower Brier score (Brier, 1950); on a small holdout the model's own
    probabilities stay. AssertionError for a regression, which has none.
    """
    assert holdout.probability is not None, "a classifier answers probabilities"
    hits = np.asarray(holdout.label)[:, None] == np.asarray(holdout.classes)[None, :]
    odd = np.arange(len(hits)) % 2 == 1
    if odd.sum() < 2:
        return lambda p: p
    tried = _fitted(holdout.probability[~odd], hits[~odd])
    before, truth = holdout.probability[odd], hits[odd]
    if _brier(tried(before), truth) >= _brier(before, truth):
        return lambda p: p
    return _fitted(holdout.probability, hits)


def expected_metrics(use_case: UseCase, scored: Scored, chances: Floats) -> dict[str, Metric]:
    """Metrics of rows whose labels are unknown; `chances` are calibrated, (n_rows, n_classes).

    They take weights of the rows as any metric does. What they leave out is how labels vary about
    their chances, so an interval over them is that of the rows alone. Of the task's metrics they
    are those in NAMES and the main one. AssertionError for a regression, which has no chances.
    """
    assert scored.probability is not None, "a classifier answers probabilities"
    n_rows, n_classes = chances.shape
    repeated = Scored(
        np.repeat(np.asarray(scored.classes), n_rows),
        np.tile(scored.prediction, n_classes),
        np.tile(scored.probability, (n_classes, 1)),
        scored.classes,
    )
    weight = chances.T.ravel()
    main = use_case.evaluation.metric

    def weighed(metric: Metric) -> Metric:
        return lambda weights: metric(np.tile(weights, n_classes) * weight)

    metrics = metrics_for(use_case, repeated)
    return {name: weighed(metric) for name, metric in metrics.items() if name in (*NAMES, main)}


def _fitted(probability: Floats, hits: Floats) -> Calibration:
    maps = [_isotonic(probability[:, k], hits[:, k]) for k in range(probability.shape[1])]

    def calibrated(p: Floats) -> Floats:
        raw = np.column_stack([f(p[:, k]) for k, f in enumerate(maps)])
        total = raw.sum(axis=1, keepdims=True)
        # A row to which no class is left keeps the probabilities of the model.
        return np.where(total > 0, raw / np.where(total > 0, total, 1), p)

    return calibrated


def _isotonic(p: Floats, hit: Floats) -> Callable[[Floats], Floats]:
    from scipy.optimize import isotonic_regression

    order = np.argsort(p)
    # Values that differ in their last digits are one, or those digits would choose the step.
    first = np.append(True, apart(p[order]))
    at, group = p[order][first], np.cumsum(first) - 1
    rows = np.bincount(group)
    share = np.bincount(group, weights=hit[order].astype(float)) / rows
    steps = isotonic_regression(share, weights=rows.astype(float)).x
    return lambda values: np.interp(values, at, steps)


def _brier(p: Floats, hits: Floats) -> float:
    return float(((p - hits) ** 2).sum(axis=1).mean())
