"""Columns of a window against those of the reference, from exact counts of all rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from contract.store.schema import TYPES
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.answers import classes_of, score_index
from monitoring.measures.bins import NOT_FINITE, NumberCells, is_number, number_cells, word_cells
from monitoring.measures.distance import distance
from monitoring.measures.distances.registry import statistic_of
from monitoring.measures.tally import ColumnSummary, summarise
from monitoring.windows.reference import PROBABILITY, Reference

Role = Literal["columns", "prediction", "label"]

MIN_NULL_CHANGE = 0.02  # a change of the share of nulls that is worth a word


@dataclass(frozen=True)
class ColumnChange:
    """How far one column of a window lies from the reference, and how surely."""

    name: str
    role: Role
    effect: float
    p_value: float
    told: str = ""  # what changed, in words: "mean 41.3 → 76.2"


@dataclass(frozen=True)
class ColumnSummaries:
    """Figures of the features, of the prediction's column, and of the labels."""

    features: Mapping[str, ColumnSummary]
    prediction: ColumnSummary | None
    label: ColumnSummary | None

    def roles(self) -> list[tuple[Role, str, ColumnSummary]]:
        """Every column with its part in the verdict."""
        roles: list[tuple[Role, str, ColumnSummary]] = []
        if self.prediction:
            roles.append(("prediction", "prediction", self.prediction))
        if self.label:
            roles.append(("label", "label", self.label))
        return roles + [("columns", name, summary) for name, summary in self.features.items()]


def frozen_columns(reference: Reference, use_case: UseCase) -> ColumnSummaries:
    """The reference's side: cells frozen from training inputs, and from answers on the holdout."""
    features = {
        name: freeze_column(reference.inputs[name], column)
        for name, column in use_case.feature_columns.items()
        if name in reference.inputs
    }
    target = use_case.columns[use_case.target]
    answers = reference.holdout.answers
    classes = classes_of(answers, use_case)
    score = score_index(use_case, classes)
    if score is None:
        prediction = freeze_column(answers["prediction"], target)
    else:
        chances = answers[f"{PROBABILITY}{classes[score]}"]
        prediction = freeze_column(chances, Column(type="number"))
    return ColumnSummaries(features, prediction, freeze_column(answers["label"], target))


def freeze_column(values: pd.Series, column: Column) -> ColumnSummary:
    """Cells of one column and the reference's rows in them."""
    if column.type == "boolean":  # a nullable one stands as float64 in frames
        values = values.map(bool, na_action="ignore").astype(object)
    kind = pa.float64() if values.dtype.kind == "f" else TYPES[column.type]
    column_values = pa.Array.from_pandas(values, type=kind, safe=False)
    if is_number(column):
        return summarise(number_cells(column_values), column_values)
    return summarise(*word_cells(column_values, column.categories))


def changes(
    frozen: ColumnSummaries, window: ColumnSummaries, policy: Monitoring
) -> tuple[ColumnChange, ...]:
    """Effect and test of every column that stands on both sides."""
    statistic = statistic_of(policy)
    references = {(role, name): summary for role, name, summary in frozen.roles()}
    moved = []
    for role, name, summary in window.roles():
        reference = references.get((role, name))
        if reference is not None and summary.rows:
            d = distance(reference.counts, summary.counts, statistic)
            moved.append(
                ColumnChange(name, role, d.effect, d.p_value, describe(reference, summary))
            )
    return tuple(moved)


def describe(reference: ColumnSummary, window: ColumnSummary) -> str:
    """What moved, in words and numbers: nulls, mean, or the word whose share moved most."""
    parts = []
    nulls = (reference.null_share, window.null_share)
    if abs(nulls[1] - nulls[0]) >= MIN_NULL_CHANGE:
        parts.append(f"null {nulls[0]:.1%} → {nulls[1]:.1%}")
    if isinstance(window.cells, NumberCells):
        if np.isfinite(window.mean) and np.isfinite(reference.mean):
            parts.append(f"mean {reference.mean:.4g} → {window.mean:.4g}")
    else:
        before, now = (s.counts[1:] / max(s.counts[1:].sum(), 1) for s in (reference, window))
        most = int(np.abs(now - before).argmax())
        parts.append(f"{window.cells.names[1 + most]} {before[most]:.1%} → {now[most]:.1%}")
    return ", ".join(parts)


def note(reference: ColumnSummary | None, window: ColumnSummary) -> str:
    """What is odd about a column although it was judged; empty when nothing is."""
    if window.nulls == window.rows:
        return "only nulls in the window"
    if reference is not None and reference.nulls == reference.rows:
        return "only nulls in the reference"
    if isinstance(window.cells, NumberCells) and window.counts[NOT_FINITE]:
        return f"{window.counts[NOT_FINITE]:,} infinite values in the window"
    one = (
        window.low == window.high
        if isinstance(window.cells, NumberCells)
        else window.counts[:-1].max() == window.rows
    )
    return "one value in all rows of the window" if one else ""
