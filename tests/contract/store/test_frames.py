"""Columns of rows and features: taken, computed, and refused where float64 can't hold them."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import Refused
from contract.store.frames import arrow_values, column_of, framed, plain_values
from contract.store.text_columns import MOMENT
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


def test_plain_times_are_the_moments_that_arrow_reads_and_come_back() -> None:
    times = [
        datetime(1, 1, 1, tzinfo=UTC),
        None,
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
    found = arrow_values(times, MOMENT)
    assert found.equals(pa.array(times, MOMENT))
    assert plain_values(found) == times
    assert arrow_values([], MOMENT).equals(pa.array([], MOMENT))
    assert arrow_values([1, None], pa.int64()).equals(pa.array([1, None], pa.int64()))


@pytest.mark.parametrize("value", ["2024-01-01T00:00:00Z", 5, datetime(2024, 1, 1)])
def test_what_is_no_moment_is_none(value: object) -> None:
    with pytest.raises((TypeError, pa.ArrowException)):
        arrow_values([value], MOMENT)
