"""The trivial model that any candidate must beat: what the training labels say on average."""

import numpy as np

from contract.statistics.metrics import Scored
from contract.use_case.model import UseCase


def baseline(training: np.ndarray, holdout: Scored, use_case: UseCase) -> Scored:
    """Answers of a constant on the holdout: the classes' shares in training, or the median.

    `training` holds the training labels, (n_rows,).
    """
    n_rows = len(holdout.label)
    if not use_case.classifies:
        return Scored(holdout.label, np.full(n_rows, np.median(training.astype(float))))
    shares = np.array([(training == name).mean() for name in holdout.classes])
    answer = np.asarray(holdout.classes)[shares.argmax()]
    probability = np.tile(shares, (n_rows, 1))
    return Scored(holdout.label, np.full(n_rows, answer), probability, holdout.classes)
