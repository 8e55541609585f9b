"""A window is counted in any parts, anywhere, to the same bits."""

import math
import pickle
from collections.abc import Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.store.predictions import INPUT
from contract.store.schema import TYPES
from contract.use_case.sections.column import Column
from monitoring.measures.bins import number_cells
from monitoring.measures.compare import freeze_column
from monitoring.measures.count import FrozenCells, PartCounts, count_part, count_parts, no_rows
from monitoring.measures.exact_sum import BLOCK, UNIT, exact_mean, exact_sum
from monitoring.measures.tally import tally
from monitoring.windows.rows import SCORE

START = datetime(2024, 2, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(
    lambda t: t.replace(tzinfo=UTC)
)
SIZES = st.floats(-1e3, 1e3) | st.floats() | st.sampled_from([0.0, -0.0, 5e-324, 1e308])
COLUMNS: dict[str, tuple[Column, list[Any], st.SearchStrategy[Any]]] = {
    "size": (Column(type="number"), [float(n) for n in range(-9, 9)], SIZES),
    "rooms": (Column(type="integer"), [1, 2, 3, 4] * 5, st.integers(-(2**63), 2**63 - 1)),
    "at": (Column(type="timestamp"), [START, START.replace(year=2025)], MOMENTS),
    "colour": (Column(type="string"), ["red", "blue"] * 20, st.sampled_from(["red", "x", ""])),
    "flag": (Column(type="boolean"), [True, False], st.booleans()),
}
CELLS = FrozenCells(
    {name: freeze_column(pd.Series(known), c).cells for name, (c, known, _) in COLUMNS.items()},
    number_cells(pa.array(np.linspace(0, 1, 50))),
)
ROW = st.fixed_dictionaries(
    {name: st.none() | values for name, (_, _, values) in COLUMNS.items()}
    | {SCORE: st.none() | st.floats(0, 1), "event_time": MOMENTS}
)


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    kinds = {INPUT + name: TYPES[column.type] for name, (column, _, _) in COLUMNS.items()}
    kinds |= {SCORE: pa.float64(), "event_time": TYPES["timestamp"]}
    return pa.table(
        {
            name: pa.array([row[name.removeprefix(INPUT)] for row in rows], kind)
            for name, kind in kinds.items()
        }
    )


def bits(counts: PartCounts) -> str:
    """Every figure; `repr` tells each float64 from all others."""
    figures, columns = counts.figures(), counts.figures().columns
    told = [(n, repr(s), s.counts.tolist()) for _, n, s in columns.roles()]
    return repr((figures.rows, figures.first, figures.last, told))


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, max_size=12), st.data())
def test_any_parts_in_any_order_come_to_what_the_whole_does(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    mixed = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    parts = [
        table(mixed[first:last]) for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True)
    ]
    expected = bits(count_part(table(rows), CELLS))
    assert bits(count_parts(parts, CELLS)) == expected
    # Counted by workers elsewhere, and added up as they come.
    sent = [pickle.dumps(count_part(part, pickle.loads(pickle.dumps(CELLS)))) for part in parts]
    found = no_rows(CELLS)
    for one in data.draw(st.permutations(sent)):
        found += pickle.loads(one)
    assert bits(found) == expected


def test_no_rows_come_to_nothing() -> None:
    figures = no_rows(CELLS).figures()
    assert (figures.rows, figures.first, figures.last) == (0, None, None)
    assert all(s.rows == 0 and math.isnan(s.mean) for _, _, s in figures.columns.roles())
    assert no_rows(FrozenCells({}, None)).figures().columns.prediction is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_a_mean_is_the_float_next_to_the_exact_one(numbers: list[float]) -> None:
    exact = sum(map(Fraction, numbers), Fraction(0))
    total = exact_sum(np.array(numbers))
    assert Fraction(total, UNIT) == exact
    assert exact_mean(total, len(numbers)) == float(exact / len(numbers))


@pytest.mark.parametrize("scale", [1.0, 1e300])
def test_a_sum_of_many_is_exact_too(scale: float) -> None:
    numbers = np.random.default_rng(0).normal(size=2 * BLOCK + 7) * scale
    assert Fraction(exact_sum(numbers), UNIT) == sum(map(Fraction, numbers.tolist()), Fraction(0))


def test_a_tally_holds_range_mean_and_what_is_no_number() -> None:
    values = pa.array([1.0, None, 5.0, 3.0, np.inf, 8.0])
    found = tally(number_cells(values), values).summary()
    assert (found.nulls, found.low, found.high, found.mean) == (1, 1, 8, 4.25)
