import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from contract.use_case import Column
from monitoring.cells import NumberCells, WordCells, number_cells, word_cells
from monitoring.compare import freeze_column, note, told
from monitoring.effect import distance
from monitoring.tally import Tally, summarise

NUMBER = Column(type="number", nullable=True)
WORD = Column(type="string", nullable=True)


def test_every_number_falls_into_one_cell() -> None:
    cells = NumberCells(1.0, (2.0, 4.0))
    values = pa.array([None, np.inf, np.nan, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert cells.of(values).tolist() == [0, 1, 1, 2, 3, 3, 4, 4, 5]
    assert cells.names == ("null", "not finite", "< 1", "≤ 2", "≤ 4", "> 4")


def test_every_word_falls_into_one_cell() -> None:
    cells = WordCells(("a", "b"))
    assert cells.of(pa.array(["b", None, "c", "a"])).tolist() == [2, 0, 3, 1]
    truths, _ = word_cells(pa.array([True, None]), None)
    assert truths.of(pa.array([True, False, None])).tolist() == [2, 1, 0]


def test_deciles_hold_a_tenth_each_and_repeated_values_one_cell() -> None:
    spread = summarise(number_cells(pa.array(np.arange(1000.0))), pa.array(np.arange(1000.0)))
    assert spread.counts.tolist() == [0, 0, 0, *[100] * 10, 0]
    zeros = pa.array([0.0] * 95 + [1.0] * 5)
    assert summarise(number_cells(zeros), zeros).counts.tolist() == [0, 0, 0, 95, 5, 0]


@pytest.mark.parametrize("values", [[], [None, None], [np.inf]])
def test_a_reference_without_numbers_still_has_cells(values: list[float | None]) -> None:
    cells = number_cells(pa.array(values, pa.float64()))
    assert cells.of(pa.array([None, 1.0])).tolist()[0] == 0


def test_a_column_of_rare_words_does_not_drift_by_being_rare() -> None:
    random = np.random.default_rng(0)
    draw = [pd.Series(random.zipf(1.3, 10_000) % 5000).astype(str) for _ in range(2)]
    frozen = freeze_column(draw[0], WORD)
    window = summarise(frozen.cells, pa.array(draw[1]))
    assert distance(frozen.counts, window.counts).effect < 0.05


def test_a_tally_adds_up_parts_to_what_the_whole_gives() -> None:
    values = pa.array([1.0, None, 5.0, 3.0, np.inf, 8.0])
    whole = summarise(number_cells(values), values)
    tally = Tally(whole.cells)
    for part in (values.slice(0, 2), values.slice(2, 0), values.slice(2)):
        tally.add(part)
    assert tally.summary().counts.tolist() == whole.counts.tolist()
    assert (whole.nulls, whole.low, whole.high, whole.mean) == (1, 1, 8, 4.25)


def test_what_moved_is_told_in_words() -> None:
    before = freeze_column(pd.Series([1.0, 2.0, 3.0, 4.0]), NUMBER)
    after = summarise(before.cells, pa.array([10.0, None, 20.0, 30.0]))
    assert told(before, after) == "null 0.0% → 25.0%, mean 2.5 → 20"
    colour = Column(type="string", categories=("red", "blue"))
    before = freeze_column(pd.Series(["red", "blue"] * 5), colour)
    after = summarise(before.cells, pa.array(["red"] * 9 + ["blue"]))
    assert told(before, after) == "red 50.0% → 90.0%"


def test_a_nullable_boolean_that_stands_as_a_number_is_counted_as_words() -> None:
    frozen = freeze_column(pd.Series([1.0, 0.0, np.nan]), Column(type="boolean", nullable=True))
    assert frozen.counts.tolist() == [1, 1, 1, 0]
    assert note(frozen, summarise(frozen.cells, pa.array([True, True]))).startswith("one value")
