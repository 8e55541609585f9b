"""Columns that may give the answer away: one alone nearly solves the target, or is empty with it.

A tree of one column is scored on rows that it has not seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.proposing.columns.facts import SeenColumn

MOST_ROWS, MOST_CELLS = 20_000, 1_000_000
ENOUGH_ROWS = 50
AUC_LIMIT, R2_LIMIT = 0.99, 0.98


@dataclass(frozen=True)
class Leak:
    """A suspected column, and why."""

    name: str
    why: str


def leaks(target: SeenColumn, columns: Iterable[SeenColumn], classifies: bool) -> list[Leak]:
    """The columns that know the target too well, in order."""
    columns = list(columns)
    empty = target.typed.values.is_null()
    labelled = pc.indices_nonzero(pc.invert(empty))
    random = np.random.default_rng(0)
    rows = labelled.to_numpy()
    most = max(ENOUGH_ROWS, min(MOST_ROWS, MOST_CELLS // max(1, len(columns))))
    if len(rows) > most:
        rows = np.sort(random.choice(rows, most, replace=False))
    label = _numbers(target.typed.values.take(pa.array(rows)), codes=classifies)
    found = []
    for column in columns:
        if (
            target.nulls
            and column.nulls == target.nulls
            and (pc.all(pc.equal(column.typed.values.is_null(), empty)).as_py())
        ):
            found.append(Leak(column.name, "it is empty exactly where the target is"))
        elif len(rows) >= ENOUGH_ROWS and (
            why := _solves(_numbers(column.typed.values.take(pa.array(rows))), label, classifies)
        ):
            found.append(Leak(column.name, why))
    return found


def _solves(values: Any, label: Any, classifies: bool) -> str:
    """What a tree of one column (n_rows,) reaches on other rows, where that is nearly all."""
    shape = values.reshape(-1, 1)
    if not classifies:
        r2 = _explained(shape, label)
        return f"alone it explains {r2:.1%} of the target (R²)" if r2 > R2_LIMIT else ""
    auc = _told_apart(shape, label)
    return f"alone it tells the classes apart (ROC AUC {auc:.4f})" if auc > AUC_LIMIT else ""


def _explained(values: Any, label: Any) -> float:
    """R² of a tree of one column, on rows it has not seen."""
    from sklearn.metrics import r2_score
    from sklearn.tree import DecisionTreeRegressor

    answers = np.empty(len(label))
    for seen, other in _halves(label):
        tree = DecisionTreeRegressor(min_samples_leaf=2, random_state=0)
        answers[other] = tree.fit(values[seen], label[seen]).predict(values[other])
    return float(r2_score(label, answers))


def _told_apart(values: Any, label: Any) -> float:
    """ROC AUC of a tree of one column, each class against the rest, on rows it has not seen."""
    from sklearn.metrics import roc_auc_score
    from sklearn.tree import DecisionTreeClassifier

    names, counts = np.unique(label, return_counts=True)
    kept = np.isin(label, names[counts >= 2])  # each half has one of them
    values, label = values[kept], label[kept]
    classes = names[counts >= 2]
    if len(classes) < 2:
        return 0.0
    chance = np.empty((len(label), len(classes)))
    for seen, other in _halves(label):
        tree = DecisionTreeClassifier(min_samples_leaf=2, random_state=0)
        chance[other] = tree.fit(values[seen], label[seen]).predict_proba(values[other])
    binary = len(classes) == 2
    return float(roc_auc_score(label, chance[:, 1] if binary else chance, multi_class="ovr"))


def _halves(label: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The rows in two halves of like labels, each once to learn from and once to be judged by."""
    order = np.argsort(label, kind="stable")
    return (order[::2], order[1::2]), (order[1::2], order[::2])


def _numbers(values: pa.ChunkedArray, codes: bool = False) -> Any:
    """Values as floats (n_rows,), NaN where empty; texts as numbers of their words."""
    if codes or pa.types.is_string(values.type):
        whole = values.combine_chunks().dictionary_encode()
        whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        values = whole.indices
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)
