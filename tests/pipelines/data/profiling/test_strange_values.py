"""Strange values: what is noted of a column, and what is not."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contract.use_case.sections.column import Column
from pipelines.data.profiling.notes import ColumnNote, page, short
from pipelines.data.profiling.strange_values import strange
from tests.conftest import made_use_case

NUMBERS = [0.5, 1.5, 40.0, 12.0]
WORDS = ["red", "green", "blue", "red"]


def notes(home: Path, values: list[Any], of_type: Any = "number", **more: Any) -> list[ColumnNote]:
    column = Column(type=of_type, nullable=True, **more)
    use_case = made_use_case(home, {"columns": {"id": Column(type="integer"), "x": column}})
    kind = {"number": pa.float64(), "integer": pa.int64()}.get(of_type)
    return strange(pa.table({"id": range(len(values)), "x": pa.array(values, kind)}), use_case)


@pytest.mark.parametrize(
    ("values", "of_type", "kinds"),
    [
        (NUMBERS, "number", []),
        ([*NUMBERS, -999.0, -999.0], "number", [("sentinel", 2)]),
        (
            [*NUMBERS, 9999.0, 9999.0, 9999.0, -99.0, -99.0],
            "number",
            [("sentinel", 3), ("sentinel", 2)],
        ),
        ([*NUMBERS, -999.0], "number", []),  # one alone may be a measurement
        ([-5.0, 3.0, -80.0, -99.0, -99.0], "number", []),  # among others like it
        ([1, 5, 3, 98, 99, 99], "integer", []),
        ([98, 99, 99], "integer", []),
        ([20_000, 90_000, -99, -99], "integer", [("sentinel", 2)]),  # alone below zero
        ([999, 999, 999], "integer", [("constant", 3)]),
        ([999, None, 999], "integer", [("constant", 2)]),
        ([*NUMBERS, math.inf, -math.inf], "number", [("infinity", 2)]),
        ([math.inf, 1.0, 2.0, -999.0, -999.0], "number", [("infinity", 1), ("sentinel", 2)]),
        ([None, None], "number", []),
        ([1.0], "number", []),
        ([True, True, None], "boolean", [("constant", 2)]),
        ([True, False], "boolean", []),
        (WORDS, "string", []),
        (["red", "red", None], "string", [("constant", 2)]),
        ([*WORDS, " red", "RED ", "Green"], "string", [("spelling", 3)]),
        (["New York", "New  York", "new york", "New York"], "string", [("spelling", 2)]),
        (['{"a": 1}', "[1, 2]", " [] ", "b"], "string", [("JSON", 3)]),
        (["{curly}", "[sic]", "b"], "string", []),
        ([], "string", []),
    ],
)
def test_what_is_noted(
    home: Path, values: list[Any], of_type: str, kinds: list[tuple[str, int]]
) -> None:
    assert [(note.kind, note.rows) for note in notes(home, values, of_type)] == kinds


def test_what_a_note_says(home: Path) -> None:
    (sentinel,) = notes(home, [*NUMBERS, -999.0, -999.0])
    assert sentinel.told == "-999 in 2 rows, apart from all other values: is it a missing one?"
    (spelling,) = notes(home, [*WORDS, " red"], "string")
    assert spelling.told == (
        "spellings that differ in case or spaces alone, e.g. 'red' beside ' red' (values: 1, rows "
        "not in the commonest: 1)"
    )
    (hidden,) = notes(home, [*WORDS, " red"], "string", personal=True)
    assert "red" not in hidden.told


def test_notes_on_one_line_and_on_a_page() -> None:
    found = [ColumnNote(name, "constant", 3, "the same") for name in "abcd"]
    assert short(found) == "constant in a, constant in b, constant in c and 1 more"
    assert "- **d**: the same" in page(found)
    assert page([]) == "No column looks strange.\n"


def test_a_key_may_be_anything_and_a_column_may_be_missing(home: Path) -> None:
    rows = pa.table({"id": [999, 999, 5], "size": pa.array([1.0, 1.0, 1.0])})
    (note,) = strange(rows, made_use_case(home))
    assert (note.column, note.kind) == ("size", "constant")
