"""Formats of times, and whether day and month are told apart."""

import pytest

from pipelines.proposing.writing.clock_form import clock_form


@pytest.mark.parametrize(
    ("cells", "form", "asked"),
    [
        (["2024-01-31", "2024-01-31T12:30+01:00"], None, False),
        (["31.01.2024"], "%d.%m.%Y", False),
        (["31/01/2024", "01/02/2024"], "%d/%m/%Y", False),
        (["01/31/2024 12:30"], "%m/%d/%Y %H:%M", False),
        (["01/31/2024 12:30 PM"], "%m/%d/%Y %I:%M %p", False),
        (["01/02/2024"], "%d/%m/%Y", True),
        (["Jan 1 2000"], "%b %d %Y", False),
        (["1 January 2000"], "%d %B %Y", False),
    ],
)
def test_a_format(cells: list[str], form: str | None, asked: bool) -> None:
    found = clock_form("day", cells)
    assert found
    assert (found.form.value, found.question is not None) == (form, asked)


@pytest.mark.parametrize("cells", [["x"], ["2024-01-31", "x"], [], ["12:30"]])
def test_no_times(cells: list[str]) -> None:
    assert clock_form("day", cells) is None


def test_both_readings_are_shown() -> None:
    found = clock_form("day", ["01/02/2024"], "%m/%d/%Y")
    assert found
    assert found.question
    assert "1 February 2024 (%d/%m/%Y) or 2 January 2024 (%m/%d/%Y)" in found.question.text
    assert found.form.value == "%m/%d/%Y"
