"""Answered rows as the metrics want them: labels, predictions and probabilities as arrays."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from contract.statistics.metrics import Floats, Scored, positive_index
from contract.use_case.model import UseCase
from monitoring.windows.reference import PROBABILITY


def classes_of(answers: pd.DataFrame, use_case: UseCase) -> tuple[object, ...]:
    """The classes in the order of the probabilities; none for a regression."""
    names = [str(n).removeprefix(PROBABILITY) for n in answers if str(n).startswith(PROBABILITY)]
    return tuple(_class(name, use_case) for name in names)


def score_index(use_case: UseCase, classes: tuple[object, ...]) -> int | None:
    """Index of the probability in which drift of predictions shows best: of the positive class.

    It moves before decisions do. None: the predictions themselves are compared.
    """
    return positive_index(use_case, classes) if use_case.task == "binary" and classes else None


def of_holdout(answers: pd.DataFrame, use_case: UseCase) -> Scored:
    """The reference's answers on its holdout."""
    classes = classes_of(answers, use_case)
    columns = [n for n in answers if str(n).startswith(PROBABILITY)]
    probability = answers[columns].to_numpy(dtype=float) if classes else None
    return Scored(
        typed(answers["label"], use_case),
        typed(answers["prediction"], use_case),
        probability,
        classes,
    )


def of_window(rows: pd.DataFrame, use_case: UseCase, classes: tuple[object, ...]) -> Scored:
    """The answers on rows of a window that all have a label."""
    return Scored(
        typed(rows["label"], use_case),
        typed(rows["prediction"], use_case),
        probabilities(rows, classes),
        classes,
    )


def unlabelled(rows: pd.DataFrame, use_case: UseCase, classes: tuple[object, ...]) -> Scored:
    """The answers on rows of a window, whatever labels they have; the prediction stands for it."""
    prediction = typed(rows["prediction"], use_case)
    return Scored(prediction, prediction, probabilities(rows, classes), classes)


def probabilities(rows: pd.DataFrame, classes: tuple[object, ...]) -> Floats | None:
    """Probabilities of a window's rows, (n_rows, n_classes)."""
    if not classes:
        return None
    chances: Floats = np.array(rows["probability"].tolist(), dtype=float)
    return chances.reshape(len(rows), len(classes))


def typed(values: pd.Series, use_case: UseCase) -> npt.NDArray[np.generic]:
    """Labels or predictions in the type of an answer: of a regression numbers, even where every
    label is a whole one."""
    dtype = {"boolean": bool, "integer": np.int64, "number": float}
    return values.to_numpy(dtype=dtype.get(use_case.answer_type, object))


def _class(name: str, use_case: UseCase) -> object:
    declared = use_case.columns[use_case.target].type
    if declared == "boolean":
        return name == "True"
    return int(name) if declared == "integer" else name
