"""Columns of a window beside those of the reference: what is compared, and what is said of it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from contract.use_case.sections.column import Column
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.bins import Cells, NumberCells, WordCells, is_number, word_cells
from monitoring.measures.compare import (
    ColumnSummaries,
    changes,
    describe,
    freeze_column,
    note,
)
from monitoring.measures.distance import distance
from monitoring.measures.tally import ColumnSummary, summarise

NUMBERS, WORDS = NumberCells(0.0, (1.0, 2.0)), WordCells(("a", "b"))
POLICY = Monitoring()


def numbers(*counts: int, mean: float = 1.0, ends: tuple[float, float] = (0, 2)) -> ColumnSummary:
    """Rows that are null, not finite, below, in two cells, above."""
    return summary(NUMBERS, counts, *ends, mean)


def words(*counts: int) -> ColumnSummary:
    """Rows that are null, a, b, other."""
    return summary(WORDS, counts)


def summary(cells: Cells, counts: tuple[int, ...], *figures: float) -> ColumnSummary:
    return ColumnSummary(cells, np.array(counts, dtype=np.int64), *figures)


@pytest.mark.parametrize(
    ("reference", "window", "said"),
    [
        (
            numbers(0, 0, 0, 50, 50, 0),
            numbers(0, 0, 0, 50, 50, 0, mean=76.123),
            "mean 1 → 76.12",
        ),
        # Of nulls two hundredths are worth a word, less is not.
        (
            numbers(0, 0, 0, 50, 50, 0),
            numbers(2, 0, 0, 48, 50, 0),
            "null 0.0% → 2.0%, mean 1 → 1",
        ),
        (numbers(2, 0, 0, 48, 50, 0), numbers(1, 0, 0, 49, 50, 0), "mean 1 → 1"),
        (
            numbers(30, 0, 0, 40, 30, 0),
            numbers(0, 0, 0, 50, 50, 0),
            "null 30.0% → 0.0%, mean 1 → 1",
        ),
        (numbers(0, 0, 0, 50, 50, 0, mean=np.nan), numbers(0, 0, 0, 5, 5, 0), ""),
        (numbers(0, 0, 0, 50, 50, 0), numbers(0, 9, 0, 0, 0, 0, mean=np.nan), ""),
        # The word whose share of the words moved most; nulls are no word.
        (words(0, 50, 40, 10), words(0, 20, 50, 30), "a 50.0% → 20.0%"),
        (words(0, 50, 40, 10), words(0, 50, 10, 40), "b 40.0% → 10.0%"),
        (words(0, 50, 50, 0), words(0, 40, 30, 30), "other 0.0% → 30.0%"),
        (words(0, 60, 40, 0), words(50, 30, 20, 0), "null 0.0% → 50.0%, a 60.0% → 60.0%"),
        (words(0, 1, 0, 0), words(0, 0, 1, 0), "a 100.0% → 0.0%"),
        (words(0, 0, 0, 10), words(10, 0, 0, 0), "null 0.0% → 100.0%, other 100.0% → 0.0%"),
    ],
)
def test_what_moved_is_told(reference: ColumnSummary, window: ColumnSummary, said: str) -> None:
    assert describe(reference, window) == said


@pytest.mark.parametrize(
    ("reference", "window", "said"),
    [
        (None, numbers(9, 0, 0, 0, 0, 0), "only nulls in the window"),
        (numbers(5, 0, 0, 0, 0, 0), numbers(1, 0, 0, 5, 5, 0), "only nulls in the reference"),
        (
            numbers(0, 0, 0, 5, 5, 0),
            numbers(0, 1200, 0, 5, 5, 0),
            "1,200 infinite values in the window",
        ),
        (None, numbers(0, 0, 0, 5, 0, 0, ends=(1, 1)), "one value in all rows of the window"),
        (None, numbers(0, 0, 0, 5, 0, 0), ""),
        (None, words(0, 7, 0, 0), "one value in all rows of the window"),
        (None, words(1, 7, 0, 0), ""),
        (None, words(0, 0, 0, 7), ""),  # others may be several words
        (words(1, 6, 0, 0), words(0, 7, 1, 0), ""),
        (None, words(0, 7, 0, 1), ""),
    ],
)
def test_what_is_odd_is_noted(
    reference: ColumnSummary | None, window: ColumnSummary, said: str
) -> None:
    assert note(reference, window) == said


def test_every_column_of_both_sides_is_compared_in_its_part() -> None:
    before, now = words(0, 50, 40, 10), words(0, 20, 50, 30)
    frozen = ColumnSummaries({"x": before, "gone": before, "empty": before}, before, before)
    window = ColumnSummaries({"x": now, "new": now, "empty": words(0, 0, 0, 0)}, now, None)
    found = changes(frozen, window, POLICY)
    expected = distance(before.counts, now.counts)
    assert [(c.role, c.name) for c in found] == [("prediction", "prediction"), ("columns", "x")]
    assert {(c.effect, c.p_value, c.told) for c in found} == {
        (expected.effect, expected.p_value, "a 50.0% → 20.0%")
    }
    both = changes(frozen, ColumnSummaries({}, None, now), POLICY)
    assert [(c.role, c.name) for c in both] == [("label", "label")]


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("integer", True),
        ("number", True),
        ("timestamp", True),
        ("string", False),
        ("boolean", False),
    ],
)
def test_which_columns_are_numbers(kind: str, counted: bool) -> None:
    assert is_number(Column.model_validate({"type": kind})) is counted


def test_a_nullable_boolean_is_frozen_as_two_words() -> None:
    frozen = freeze_column(pd.Series([1.0, 0.0, None, 1.0]), Column(type="boolean", nullable=True))
    assert frozen.cells.names == ("null", "false", "true", "other")
    assert frozen.counts.tolist() == [1, 1, 2, 0]


def test_a_summary_counts_rows_and_nulls() -> None:
    found = words(3, 5, 2, 0)
    assert (found.rows, found.nulls, found.null_share) == (10, 3, 0.3)
    assert np.isnan(words(0, 0, 0, 0).null_share)


def test_words_that_nobody_declared_are_chosen_on_every_other_row() -> None:
    # Rows 0, 2, 4 … choose: a five times, b four times, which is too few; the others are counted.
    texts = [w for pair in zip("aaaaabbbbcc", "bbbbbbbbbaa", strict=True) for w in pair]
    cells, counted = word_cells(pa.array(texts), None)
    assert cells.words == ("a",)
    assert counted.to_pylist() == list("bbbbbbbbbaa")
    many = [f"w{i % 101:03}" for i in range(101 * 5) for _ in range(2)]
    cells, _ = word_cells(pa.array(many), None)
    assert cells.words == tuple(f"w{i:03}" for i in range(100))
    declared, counted = word_cells(pa.array(["x", "y"]), ["y", "z"])
    assert (declared.words, counted.to_pylist()) == (("y", "z"), ["x", "y"])


def test_range_and_mean_are_of_finite_numbers_whatever_their_sign() -> None:
    below = summarise(NUMBERS, pa.array([-3.0, None, -2.0, np.inf]))
    assert (below.low, below.high, below.mean) == (-3, -2, -2.5)
    above = summarise(NUMBERS, pa.array([7.0, 5.0]))
    assert (above.low, above.high, above.mean) == (5, 7, 6)
