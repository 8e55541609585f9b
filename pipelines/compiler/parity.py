"""The proof that a compiled scorer answers like the pipeline, on the holdout and on edge rows."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from contract.use_case.features import Columns
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.scoring.agreement import TOLERANCE, Agreement, compare
from serving.scoring.scorer import Predictions, Scorer

BASE_ROWS = 16  # rows of the holdout in which nulls and unseen categories are put
SINGLE_ROWS = 2_000  # of each case are asked one by one too, where one row has a way of its own
SPLITS = 50  # split values of one feature that are tried, spread over all


@dataclass(frozen=True)
class Parity:
    """Agreement in each case; the proof holds where every one does."""

    cases: dict[str, Agreement]

    @property
    def holds(self) -> bool:
        """Whether the compiled scorer may answer in place of the pipeline."""
        return all(case.holds for case in self.cases.values())

    @property
    def rows(self) -> int:
        """How many rows were compared."""
        return sum(case.rows for case in self.cases.values())

    @property
    def max_difference(self) -> float:
        """The largest relative difference of all."""
        return max(case.max_difference for case in self.cases.values())

    def joined(self, other: "Parity", how: str) -> "Parity":
        """Both proofs; `how` tells the cases of the other one apart."""
        return Parity(self.cases | {f"{name}, {how}": case for name, case in other.cases.items()})

    def line(self) -> str:
        """One sentence for a person."""
        differ = sum(case.labels_differ for case in self.cases.values())
        return (
            f"on {self.rows:,} rows ({', '.join(self.cases)}) the compiled scorer is up to "
            f"{self.max_difference:.2g} off and {differ} labels differ"
        )

    def figures(self) -> dict[str, float]:
        """Metrics for the run."""
        return {"parity/rows": self.rows, "parity/max_difference": self.max_difference}

    def record(self) -> dict[str, Any]:
        """The proof as it is stored."""
        return {
            "holds": self.holds,
            "tolerance": TOLERANCE,
            "rows": self.rows,
            "max_difference": self.max_difference,
            "cases": {name: asdict(case) for name, case in self.cases.items()},
        }


def prove(
    compiled: Scorer,
    pipeline: Scorer,
    use_case: UseCase,
    holdout: Columns,
    thresholds: Mapping[str, list[float]],
) -> Parity:
    """Compare the two scorers on every row of the holdout and on generated edge rows.

    Edge rows hold nulls, unseen categories, and the split values of trees (`thresholds`, by
    feature) with their neighbours in float64 and float32. Probabilities and numbers may differ by
    the TOLERANCE of `serving.scoring.agreement`, labels only between classes that are tied. Where
    the compiled scorer has another way for one row, that way is proved too.
    """
    cases = {"holdout": holdout} | {
        name: rows
        for name, edges in _edges(use_case, thresholds).items()
        if (rows := _with(holdout, edges))
    }
    expected = {name: pipeline.score(rows) for name, rows in cases.items()}
    found = {name: compare(compiled.score(rows), expected[name]) for name, rows in cases.items()}
    if compiled.run_one:
        for name, columns in cases.items():
            single = _one_by_one(compiled, columns)
            found[f"{name}, one by one"] = compare(single, _first(expected[name]))
    return Parity(found)


def _one_by_one(scorer: Scorer, columns: Columns) -> Predictions:
    n_rows = len(next(iter(columns.values())))
    answers = [
        scorer.score({name: values[row : row + 1] for name, values in columns.items()})
        for row in range(min(n_rows, SINGLE_ROWS))
    ]
    probability = [row for answer in answers for row in answer.probability or ()]
    prediction = [value for answer in answers for value in answer.prediction]
    return Predictions(prediction, probability if scorer.classes else None)


def _first(answers: Predictions) -> Predictions:
    probability = answers.probability
    return Predictions(
        answers.prediction[:SINGLE_ROWS], None if probability is None else probability[:SINGLE_ROWS]
    )


Edges = list[tuple[str, Any]]  # a feature and a value that it takes


def _edges(use_case: UseCase, thresholds: Mapping[str, list[float]]) -> dict[str, Edges]:
    columns = use_case.feature_columns
    nullable = [(name, None) for name, column in columns.items() if column.nullable]
    text = [(name, word) for name, c in columns.items() if c.type == "string" for word in _words(c)]
    splits = [
        (name, value) for name, at in thresholds.items() for value in _beside(at, columns[name])
    ]
    return {"nulls": nullable * BASE_ROWS, "unseen categories": text * BASE_ROWS, "splits": splits}


def _words(column: Column) -> list[str]:
    return ["", "never seen before", *(column.categories or ())]


def _beside(splits: list[float], column: Column) -> list[Any]:
    """Split values with their neighbours, in float64 and in float32, as the column's type."""
    at = np.unique(np.linspace(0, len(splits) - 1, min(SPLITS, len(splits))).round().astype(int))
    values = dict.fromkeys(value for i in at for value in _neighbours(splits[i]))
    if column.type == "boolean":
        return [False, True]
    if column.type == "integer":
        return list(dict.fromkeys(step for v in values for step in (math.floor(v), math.ceil(v))))
    return list(values)


def _neighbours(value: float) -> Iterator[float]:
    """The value and one step to either side, in float64 and in float32."""
    if not math.isfinite(value):
        return  # a split of what is missing from all the rest
    for near in (np.float64(value), np.float32(value)):
        infinite = near.dtype.type(np.inf)
        yield from (float(near), float(np.nextafter(near, infinite)))
        yield float(np.nextafter(near, -infinite))


def _with(holdout: Columns, edges: Edges) -> dict[str, list[Any]]:
    """Rows of the holdout in turn, each with one edge in it; empty where there are no edges."""
    n_rows = len(next(iter(holdout.values())))
    if not edges:
        return {}
    edge_rows = {
        name: [values[i % n_rows] for i in range(len(edges))] for name, values in holdout.items()
    }
    for row, (feature, value) in enumerate(edges):
        edge_rows[feature][row] = value
    return edge_rows
