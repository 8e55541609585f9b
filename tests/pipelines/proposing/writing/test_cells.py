"""Cells of a file: types by the reader of ingest, words for missing values and for truth."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from contract.use_case.sections.source import CsvFormat
from pipelines.proposing.writing.cells import TypedColumns, typed_texts


def read(columns: Mapping[str, Sequence[str | None]], **answers: str) -> TypedColumns:
    texts = {name: pa.chunked_array([pa.array(v, pa.string())]) for name, v in columns.items()}
    return typed_texts(texts, CsvFormat(), answers)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2", None], "integer"),
        (["1", "2.0"], "number"),
        (["1e3", "2"], "number"),
        (["007", "12"], "string"),
        (["0", "12"], "integer"),
        (["0.5", "-0.5"], "number"),
        (["1234567890123456789"], "string"),
        (["true", "FALSE"], "boolean"),
        (["yes", "no"], "boolean"),
        (["yes", "no", "maybe"], "string"),
        (["2024-01-31", "2024-02-01 12:30"], "timestamp"),
        (["2024-01-31", "2024-02-30"], "string"),
        (["12%", "5 %"], "number"),
        (["", " "], "string"),
        (["1", "x"], "string"),
    ],
)
def test_a_type(cells: list[str | None], kind: str) -> None:
    assert read({"a": cells}).columns["a"].type.value == kind


@pytest.mark.parametrize(
    ("columns", "words", "asked"),
    [
        ({"a": ["1", "NA"], "b": ["x", "y"]}, ("NA",), False),
        ({"a": ["1", "-", "?"]}, ("-", "?"), False),
        ({"a": ["1", "2"], "b": ["x", "NA"]}, (), False),
        ({"a": ["1", "NA"], "b": ["x", "NA"]}, ("NA",), True),
        ({"a": ["true", "null"]}, ("null",), False),
    ],
)
def test_words_for_missing_values(
    columns: dict[str, list[str | None]], words: tuple[str, ...], asked: bool
) -> None:
    found = read(columns)
    assert (found.form.null_values, bool(found.questions)) == (words, asked)


def test_whole_numbers_whose_name_says_code_are_text() -> None:
    found = read({"zip": ["1000", "2000"]}).columns["zip"]
    assert (found.type.value, "the name says code" in found.notes[0]) == ("string", True)


def test_a_few_words_among_numbers_are_told() -> None:
    (note,) = read({"a": [*map(str, range(20)), "x"]}).columns["a"].notes
    assert note.startswith("most cells are numbers, but not e.g. 'x'")


@pytest.mark.parametrize(
    ("late", "kind", "decimal"),
    [
        (["1.5"], "number", "."),
        (["1,5"], "number", ","),
        (["a, b"], "string", "."),
        ([f"t{n}" for n in range(60)], "string", "."),
    ],
)
def test_what_stands_in_late_rows_alone_is_read(late: list[str], kind: str, decimal: str) -> None:
    found = read({"a": [*map(str, range(30_000)), *late]})
    assert (found.columns["a"].type.value, found.form.decimal) == (kind, decimal)


def test_a_word_that_is_a_text_makes_its_column_one() -> None:
    found = read({"a": ["1", "NA"], "b": ["x", "NA"]}, null_values="text")
    assert found.columns["a"].type.value == "string"
    assert found.form.null_values == ()
    assert "'NA' in 1 rows" in found.columns["b"].notes[0]


def test_a_cell_far_down_decides_as_one_at_the_top() -> None:
    rows = 30_000
    cells = [str(n) for n in range(rows)]
    cells[rows - 7] = "far"
    found = read({"a": cells}).columns["a"]
    assert found.type.value == "string"
    assert "'far'" in found.notes[0]


def test_numbers_are_times_where_name_and_century_say_so() -> None:
    numbers = {"sold_at": ["1700000000", "1700000060"], "price": ["1700000000", "1700000060"]}
    columns = read(numbers | {"time_ms": ["1700000000000"], "time": ["17", "18"]}).columns
    told = {name: (c.type.value, c.unit) for name, c in columns.items()}
    assert told == {
        "sold_at": ("timestamp", "s"),
        "price": ("integer", ""),
        "time_ms": ("timestamp", "ms"),
        "time": ("integer", ""),
    }


@pytest.mark.parametrize("cells", [["€1.20", "€3"], ["1,20 €", "3 €"], ["12 kg", "3 kg"]])
def test_numbers_with_signs_around_are_told(cells: list[str]) -> None:
    assert "unlike the rest of the file" in read({"a": cells}).columns["a"].notes[0]


def test_words_for_truth_are_declared() -> None:
    form = read({"a": ["Y", "N"], "b": ["yes", "no"]}).form
    assert (form.true_values, form.false_values) == (("Y", "yes"), ("N", "no"))
