"""Columns of rows and features: taken, computed, and refused where float64 can't hold them."""

from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Refused
from contract.store.frames import column_of, framed
from contract.use_case.sections.column import Column
from contract.use_case.sections.derived import Derived
from tests.conftest import made_use_case


def test_a_column_that_rows_lack_is_computed_from_them(home: Path) -> None:
    derived = {"letters": Derived(function="length", of=("colour",))}
    rows = pa.table({"colour": ["red", "green"]})
    use_case = made_use_case(home, {"derived": derived})
    assert column_of(rows, use_case, "letters").to_pylist() == [3, 5]
    assert column_of(rows, use_case, "colour").to_pylist() == ["red", "green"]


def test_integers_that_float64_does_not_tell_apart_are_refused(home: Path) -> None:
    columns = {"n": Column(type="integer", nullable=True)}
    use_case = made_use_case(home, {"columns": columns})
    with pytest.raises(Refused, match=r"'n' holds integers beyond 2\^53, .*declare it as string"):
        framed(pa.table({"n": [2**53 + 1, None]}), use_case)
    assert framed(pa.table({"n": [2**53, None]}), use_case)["n"].iloc[0] == 2**53
