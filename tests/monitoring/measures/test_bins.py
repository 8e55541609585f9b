import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.statistics.metrics import Scored
from contract.use_case.sections.column import Column
from monitoring.measures.bins import NumberCells, WordCells, number_cells, word_cells
from monitoring.measures.compare import describe, freeze_column, note
from monitoring.measures.distance import distance
from monitoring.measures.estimate import calibration
from monitoring.measures.tally import summarise

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


Floats = npt.NDArray[np.float64]
RANDOM = np.random.default_rng(0)
SCORECARD = RANDOM.choice(1 / (1 + np.exp(-RANDOM.normal(size=20))), 1316)
ANSWERS = {
    "a scorecard of 20 values": SCORECARD,
    "its complement": 1 - SCORECARD,
    "a stump": RANDOM.choice([0.21, 0.78], 891, p=[0.6, 0.4]),
    "one value": np.full(300, 0.1 + 0.2),
    "only zeros": np.zeros(300),
    "shares of ten trees": RANDOM.integers(0, 11, 1000) / 10,
    "a spread": RANDOM.normal(size=10_000) * 1e6,
    "one sentinel": np.append(RANDOM.choice([0.2, 0.5], 1000), -1e300),
}


def in_the_last_digits(values: Floats, off: Floats) -> Floats:
    """The values, each some units in the last place off."""
    for way in (-np.inf, np.inf):
        for step in range(int(np.abs(off).max())):
            moved = np.nextafter(values, way)
            values = np.where(off * np.sign(way) > step, moved, values)
    return values


@pytest.mark.parametrize("values", ANSWERS.values(), ids=ANSWERS.keys())
def test_answers_that_differ_in_their_last_digits_fall_into_the_same_cells(values: Floats) -> None:
    off = RANDOM.integers(-4, 5, len(values)).astype(float)
    asked = in_the_last_digits(values, off)
    for reference, window in ((values, asked), (asked, values)):
        frozen = freeze_column(pd.Series(reference), NUMBER)
        found = summarise(frozen.cells, pa.array(window))
        assert found.counts.tolist() == frozen.counts.tolist()
        assert distance(frozen.counts, found.counts).effect == 0


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.integers(-4, 4)), min_size=1))
def test_no_value_lies_on_the_bound_of_a_cell(drawn: list[tuple[float, int]]) -> None:
    values, off = np.array(drawn, dtype=float).T
    cells = number_cells(pa.array(values))
    asked = in_the_last_digits(values, off)
    assert cells.of(pa.array(asked)).tolist() == cells.of(pa.array(values)).tolist()


def test_values_of_a_scorecard_that_are_apart_keep_cells_of_their_own() -> None:
    frozen = freeze_column(pd.Series(ANSWERS["a stump"]), NUMBER)
    assert np.flatnonzero(frozen.counts).tolist() == [3, 4]
    other = summarise(frozen.cells, pa.array(1 - ANSWERS["a stump"]))
    assert distance(frozen.counts, other.counts).effect > 0.1


def test_a_calibration_does_not_hang_on_the_last_digits() -> None:
    values = ANSWERS["a stump"]
    hits = RANDOM.random(len(values)) < 1 - values  # the model is wrong: there is much to mend
    asked = in_the_last_digits(values, np.where(hits, 4.0, -4.0))  # digits that know the label
    both = [np.column_stack([1 - p, p]) for p in (values, asked)]
    found = [calibration(Scored(hits, p[:, 1] > 0.5, p, (False, True)))(both[0]) for p in both]
    assert np.allclose(found[0], found[1], atol=1e-3)
    assert not np.allclose(found[0], both[0], atol=0.05)


def test_a_column_of_rare_words_does_not_drift_by_being_rare() -> None:
    random = np.random.default_rng(0)
    draw = [pd.Series(random.zipf(1.3, 10_000) % 5000).astype(str) for _ in range(2)]
    frozen = freeze_column(draw[0], WORD)
    window = summarise(frozen.cells, pa.array(draw[1]))
    assert distance(frozen.counts, window.counts).effect < 0.05


def test_what_moved_is_told_in_words() -> None:
    before = freeze_column(pd.Series([1.0, 2.0, 3.0, 4.0]), NUMBER)
    after = summarise(before.cells, pa.array([10.0, None, 20.0, 30.0]))
    assert describe(before, after) == "null 0.0% → 25.0%, mean 2.5 → 20"
    colour = Column(type="string", categories=("red", "blue"))
    before = freeze_column(pd.Series(["red", "blue"] * 5), colour)
    after = summarise(before.cells, pa.array(["red"] * 9 + ["blue"]))
    assert describe(before, after) == "red 50.0% → 90.0%"


def test_a_nullable_boolean_that_stands_as_a_number_is_counted_as_words() -> None:
    frozen = freeze_column(pd.Series([1.0, 0.0, np.nan]), Column(type="boolean", nullable=True))
    assert frozen.counts.tolist() == [1, 1, 1, 0]
    assert note(frozen, summarise(frozen.cells, pa.array([True, True]))).startswith("one value")
