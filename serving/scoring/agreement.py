"""Whether two scorers give the same answers; the tolerance is defined here alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.scoring.scorer import Floats, Predictions

TOLERANCE = 1e-9  # times max(1, |y|)


@dataclass(frozen=True)
class Agreement:
    """How answers compare with the expected ones."""

    rows: int
    max_difference: float  # largest |answer - expected| / max(1, |expected|)
    labels_differ: int  # other labels, where the two likeliest classes are not tied

    @property
    def holds(self) -> bool:
        """Whether these are the same answers."""
        return self.max_difference <= TOLERANCE and not self.labels_differ


def compare(answers: Predictions, expected: Predictions) -> Agreement:
    """Compare answers on the same rows, (n_rows,) each.

    Differences are of probabilities, or of the numbers of a regression, and relative: |answer -
    expected| / max(1, |expected|); inf where the shapes differ. A label counts as different only
    where the two likeliest classes are more than TOLERANCE apart.
    """
    rows = len(expected.prediction)
    if len(answers.prediction) != rows:
        return Agreement(rows, float("inf"), rows)
    if expected.probability is None or answers.probability is None:
        return Agreement(rows, _difference([answers.prediction], [expected.prediction]), 0)
    likeliest = np.sort(np.array(expected.probability).reshape(rows, -1), axis=1)[:, -2:]
    tied = likeliest[:, -1] - likeliest[:, 0] < TOLERANCE
    differ = [a != b for a, b in zip(answers.prediction, expected.prediction, strict=True)]
    labels_differ = int((np.array(differ, dtype=bool) & ~tied).sum())
    return Agreement(rows, _difference(answers.probability, expected.probability), labels_differ)


def _difference(answers: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> float:
    a, b = (np.array(values, dtype=float) for values in (answers, expected))
    if a.shape != b.shape:
        return float("inf")
    relative: Floats = np.abs(a - b) / np.maximum(1, np.abs(b))
    return float(relative.max(initial=0.0))
