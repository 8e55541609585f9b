"""Answers that were given beside those that a version would give, part by part of the traffic."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contract.statistics.metrics import Floats, Scored, defined, metric_values
from contract.store.predictions import INPUT
from contract.use_case.model import UseCase
from serving.scoring.score_batch import score_batch
from serving.scoring.version import ServedVersion

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelledSide:
    """Answers to labelled rows of a part; probabilities (n_rows, n_classes), None where the rows
    have none or not as many as there are classes."""

    prediction: Values
    probability: Values | None


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
    part = part.filter(pa.array(whole)).combine_chunks()
    if not part.num_rows:
        return
    sent = pa.table({name: part.column(INPUT + name) for name in served.scorer.features})
    answers, classes = score_batch(served.scorer, sent, served.use_case), served.scorer.classes
    kept.rows += part.num_rows
    kept.versions.update(_one(part, "version").to_pylist())
    given, now = _one(part, "prediction"), answers.column("prediction")
    different = pc.fill_null(pc.not_equal(given, now), True)
    kept.different += different.true_count
    if classes:
        pairs = (side.filter(different).to_pylist() for side in (given, now))
        kept.changes.update(f"{a} → {b}" for a, b in zip(*pairs, strict=True))
        was = _probabilities(_one(part, "probability"), len(classes))
        would_be = np.column_stack([column.to_numpy() for column in answers.columns[1:]])
    else:
        was, would_be = (_values(side).reshape(-1, 1) for side in (given, now))
    comparable = np.asarray(~np.isnan(was).any(axis=1))
    distances = np.abs(was[comparable] - would_be[comparable]).mean(axis=1)
    kept.distance += float(distances.sum())
    kept.compared += len(distances)
    label = _one(part, "label")
    if label.null_count < len(label):
        known = label.is_valid()
        at = _values(known)
        kept.labels.append(_values(label.filter(known)))
        fits = classes and comparable[at].all()
        kept.given.append(LabelledSide(_values(given)[at], was[at] if fits else None))
        kept.would_be.append(LabelledSide(_values(now)[at], would_be[at] if classes else None))


def _one(part: pa.Table, name: str) -> pa.Array:
    return part.column(name).combine_chunks()


def _values(column: pa.Array) -> Values:
    found: Values = column.to_numpy(zero_copy_only=False)
    return found


def _probabilities(listed: pa.Array, n_classes: int) -> Floats:
    """Lists as (n_rows, n_classes), NaN where a row has none or not as many."""
    fits = pc.fill_null(pc.equal(pc.list_value_length(listed), n_classes), False)
    found: Floats = np.full((len(listed), n_classes), np.nan)
    found[_values(fits)] = _values(listed.filter(fits).flatten()).reshape(-1, n_classes)
    return found


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
