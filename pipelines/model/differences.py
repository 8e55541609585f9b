"""Answers that were given beside those that a version would give, part by part of the traffic."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contract.statistics.metrics import Scored, defined, metric_values
from contract.store.frames import plain_values
from contract.store.predictions import INPUT
from contract.use_case.model import UseCase
from serving.scoring.scorer import Predictions
from serving.scoring.version import ServedVersion

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelledSide:
    """Answers to labelled rows of a part; probabilities (n_rows, n_classes), None where the rows
    have none or not as many as there are classes."""

    prediction: Values
    probability: Values | None

    @classmethod
    def of(
        cls, prediction: list[Any], probability: list[Any] | None, n_classes: int
    ) -> "LabelledSide":
        """From plain values."""
        fits = probability is not None and all(p and len(p) == n_classes for p in probability)
        return cls(np.asarray(prediction), np.asarray(probability) if fits else None)


@dataclass
class AnswerDifferences:
    """What the comparison keeps of each part: counts of all rows, values of labelled ones."""

    rows: int = 0
    unanswerable: int = 0
    different: int = 0
    distance: float = 0.0
    compared: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    labels: list[Values] = field(default_factory=list)
    given: list[LabelledSide] = field(default_factory=list)
    would_be: list[LabelledSide] = field(default_factory=list)


def compare(kept: AnswerDifferences, part: pa.Table, served: ServedVersion) -> None:
    """Add a part of the traffic to the comparison; INPUT stands before its features' names."""
    needed = [n for n in served.scorer.features if not served.use_case.columns[n].nullable]
    whole = np.ones(part.num_rows, dtype=bool)
    for name in needed:
        whole &= ~np.asarray(part.column(INPUT + name).is_null())
    kept.unanswerable += int((~whole).sum())
    part = part.filter(pa.array(whole))
    if not part.num_rows:
        return
    columns = {name: plain_values(part.column(INPUT + name)) for name in served.scorer.features}
    answers = served.scorer.score(columns)
    given = part.column("prediction").to_pylist()
    kept.rows += part.num_rows
    kept.versions.update(part.column("version").to_pylist())
    pairs = list(zip(given, answers.prediction, strict=True))
    kept.different += sum(a != b for a, b in pairs)
    if served.scorer.classes:
        kept.changes.update(f"{a} → {b}" for a, b in pairs if a != b)
    probability = part.column("probability").to_pylist()
    _distances(kept, given, probability, answers)
    labels = part.column("label").to_pylist()
    at = [row for row, label in enumerate(labels) if label is not None]
    if at:
        n_classes = len(served.scorer.classes)
        chances = [answers.probability[row] for row in at] if answers.probability else None
        kept.labels.append(np.asarray([labels[row] for row in at]))
        was = [given[row] for row in at], [probability[row] for row in at]
        kept.given.append(LabelledSide.of(*was, n_classes))
        kept.would_be.append(
            LabelledSide.of([answers.prediction[row] for row in at], chances, n_classes)
        )


def _distances(
    kept: AnswerDifferences, given: list[Any], probability: list[Any], answers: Predictions
) -> None:
    """Add mean absolute differences of what is comparable: as many classes on both sides."""
    if answers.probability is None:
        kept.distance += float(np.abs(np.subtract(given, answers.prediction)).sum())
        kept.compared += len(given)
        return
    for was, now in zip(probability, answers.probability, strict=True):
        if was is not None and len(was) == len(now):
            kept.distance += float(np.abs(np.subtract(was, now)).mean())
            kept.compared += 1


def figures(
    use_case: UseCase, labels: list[Values], sides: list[LabelledSide], classes: tuple[Any, ...]
) -> dict[str, float]:
    """Finite metrics of answers on labelled rows; none where their classes are others."""
    if not labels:
        return {}
    label, prediction = np.concatenate(labels), np.concatenate([side.prediction for side in sides])
    if not classes:
        scored = Scored(label.astype(float), prediction.astype(float))
    else:
        chances = [side.probability for side in sides if side.probability is not None]
        if len(chances) < len(sides):
            return {}
        scored = Scored(label, prediction, np.concatenate(chances), classes)
    return defined(metric_values(use_case, scored))
