"""The trivial model that any candidate must beat: what the training labels say on average."""

import numpy as np

from contract.statistics.metrics import Floats, Scored
from contract.use_case.model import UseCase


def baseline(
    training: np.ndarray, holdout: Scored, use_case: UseCase, weight: Floats | None = None
) -> Scored:
    """Answers of a constant on the holdout: the classes' shares in training, or the median.

    `training` holds the training labels, `weight` what each counts; (n_rows,) both.
    """
    n_rows, counts = len(holdout.label), np.ones(len(training)) if weight is None else weight
    if not use_case.classifies:
        answers = np.full(n_rows, _median(training.astype(float), weight))
        return Scored(holdout.label, answers, weight=holdout.weight)
    shares = np.array([counts[training == name].sum() for name in holdout.classes]) / counts.sum()
    answer = np.asarray(holdout.classes)[shares.argmax()]
    probability = np.tile(shares, (n_rows, 1))
    answers = np.full(n_rows, answer)
    return Scored(holdout.label, answers, probability, holdout.classes, holdout.weight)


def _median(values: Floats, weight: Floats | None) -> float:
    if weight is None:
        return float(np.median(values))
    return float(np.quantile(values, 0.5, weights=weight, method="inverted_cdf"))
