"""Signs of decimals and thousands: what shows them, and when only people know."""

import pytest

from pipelines.proposing.writing.numbers import number_form


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands", "asked"),
    [
        (["1", "2.5"], ".", None, False),
        (["1,5", "2,25"], ",", None, False),
        (["0,123"], ",", None, False),
        (["1.234,5", "2"], ",", ".", False),
        (["1,234,567"], ".", ",", False),
        (["1,234.5", "1,234"], ".", ",", False),
        (["1,234", "5,678"], ".", ",", True),
        (["1,234", "5,6"], ",", None, False),
        (["1 234", "5"], ".", " ", False),
        (["1'234.5"], ".", "'", False),
        (["1 234,5"], ",", " ", False),
        (["a,b", "1,5"], ".", None, False),  # a column of texts says nothing
        (["-1,5 %"], ",", None, False),
        ([], ".", None, False),
    ],
)
def test_the_form_of_numbers(
    cells: list[str], decimal: str, thousands: str | None, asked: bool
) -> None:
    found = number_form({"x": cells})
    signs = (found.decimal.value, found.thousands.value, bool(found.questions))
    assert signs == (decimal, thousands, asked)


def test_an_answer_decides() -> None:
    assert number_form({"x": ["1,234"]}, "decimals").decimal.value == ","
    assert number_form({"x": ["1,234"]}, "thousands").thousands.value == ","
