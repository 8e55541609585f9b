"""The trivial model that any candidate must beat: what the training labels say on average."""

from collections.abc import Iterator, Mapping

import numpy as np

from contract.statistics.metrics import Floats, Scored
from contract.use_case.model import UseCase
from contract.use_case.sections.gates import Gates

# The constant that these judge best is the mean; of the other metrics of numbers, the median.
OF_SQUARES = frozenset({"rmse", "r2"})
# Of these a constant answer is a master: they say how far answers lie off, not what they know.
OF_A_CONSTANT = frozenset({"calibration_error", "bias"})


def baseline(
    training: np.ndarray, holdout: Scored, use_case: UseCase, weight: Floats | None = None
) -> Scored:
    """Answers of a constant on the holdout: the classes' shares in training, of numbers the median,
    or the mean where the metric that decides is one of squares.

    `training` holds the training labels, `weight` what each counts; (n_rows,) both.
    """
    n_rows, counts = len(holdout.label), np.ones(len(training)) if weight is None else weight
    if not use_case.classifies:
        middle = _mean if use_case.evaluation.metric in OF_SQUARES else _median
        answers = np.full(n_rows, middle(training.astype(float), weight))
        return Scored(holdout.label, answers, weight=holdout.weight)
    shares = np.array([counts[training == name].sum() for name in holdout.classes]) / counts.sum()
    answer = np.asarray(holdout.classes)[shares.argmax()]
    probability = np.tile(shares, (n_rows, 1))
    answers = np.full(n_rows, answer)
    return Scored(holdout.label, answers, probability, holdout.classes, holdout.weight)


def idle_limits(gates: Gates, baseline: Mapping[str, float]) -> Iterator[str]:
    """A sentence for each declared limit that the baseline keeps too: such a limit asks nothing.

    `baseline` holds its metrics by name; one that it lacks, or that is NaN, is passed over, and so
    is what a constant answer is always good at (calibration error, bias).
    """
    declared = [("minimum", name, limit) for name, limit in gates.minimum.items()]
    declared += [("maximum", name, limit) for name, limit in gates.maximum.items()]
    for section, name, limit in declared:
        reached = baseline.get(name, float("nan"))
        kept = reached >= limit if section == "minimum" else reached <= limit
        if kept and name not in OF_A_CONSTANT:
            yield (
                f"gates.{section}: {name} {limit:g} asks nothing of a model: the baseline, one "
                f"answer for every row, reaches {reached:.4f}"
            )


def _mean(values: Floats, weight: Floats | None) -> float:
    return float(np.average(values, weights=weight))


def _median(values: Floats, weight: Floats | None) -> float:
    if weight is None:
        return float(np.median(values))
    return float(np.quantile(values, 0.5, weights=weight, method="inverted_cdf"))
