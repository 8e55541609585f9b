import msgspec
import pytest

from serving.requests.errors import Problem, problem_details


@pytest.mark.parametrize(
    ("row", "column", "sentence"),
    [
        (3, "size", "Row 3, column 'size': number expected, found text."),
        (0, None, "Row 0: number expected, found text."),
        (None, "size", "Column 'size': number expected, found text."),
        (None, None, "number expected, found text."),
    ],
)
def test_a_sentence_is_composed_of_row_column_and_what_is_wrong(
    row: int | None, column: str | None, sentence: str
) -> None:
    problem = Problem("bad_cell", "number expected, found text.", row, column)
    assert str(problem) == problem.message == sentence
    details = msgspec.json.decode(problem_details(problem, None).body)
    assert (details["detail"], details.get("row"), details.get("column")) == (sentence, row, column)
