"""Names of a first line that no table can hold, each with its reason."""

import pytest

from pipelines.proposing.writing.header import header_of


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        ("", "(column 2)", "column 2 has no name"),
        ("_Row_Hash", "_Row_Hash", "every table has a column of this name"),
        ("n" * 501, "n" * 501, "a name of 501 signs is too long"),
        ("a\nb", "a\nb", "its name holds a line break"),
    ],
)
def test_a_name_that_no_table_holds_is_left_out(name: str, shown: str, why: str) -> None:
    found = header_of(["x", name, "y"], "t.csv")
    assert found.places == {"x": 0, "y": 2}
    assert [left.name for left in found.left_out] == [shown]
    assert found.left_out[0].why.startswith(why)
