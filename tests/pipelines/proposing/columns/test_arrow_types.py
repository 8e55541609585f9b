"""Types of Parquet and JSON, and what becomes of a column of each."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from pipelines.proposing.columns.arrow_types import typed_values
from pipelines.proposing.columns.types import TypedColumn
from pipelines.proposing.inferred import LeftOut

NOON = datetime(2024, 1, 31, 12)


@pytest.mark.parametrize(
    ("values", "kind", "read", "naive"),
    [
        (pa.array(["a", None]).dictionary_encode(), "string", ["a", None], False),
        (pa.array(["a"], pa.large_string()), "string", ["a"], False),
        (pa.array([True, None]), "boolean", [True, None], False),
        (pa.array([1, None], pa.uint8()), "integer", [1, None], False),
        (pa.array([1.5, float("nan")]), "number", [1.5, None], False),
        (pa.array([Decimal("1.50")]), "number", [1.5], False),
        (pa.array([date(2024, 1, 31)]), "timestamp", [datetime(2024, 1, 31)], True),
        (pa.array([NOON], pa.timestamp("ns")), "timestamp", [NOON], True),
        (
            pa.array([NOON], pa.timestamp("s", "Europe/Berlin")),
            "timestamp",
            [NOON.replace(tzinfo=UTC)],
            False,
        ),
    ],
)
def test_a_type(values: pa.Array, kind: str, read: list[Any], naive: bool) -> None:
    found = typed_values("a", pa.chunked_array([values]))
    assert isinstance(found, TypedColumn)
    told = (found.type.value, found.values.to_pylist(), found.naive)
    assert told == (kind, read, naive)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (pa.nulls(2), "no row has a value"),
        (pa.array([[1], [2]]), "list<item: int64> in the file, which no column holds"),
        (pa.array([time(12)]), "time64[us] in the file, which no column holds"),
        (
            pa.array([1, 2**63], pa.uint64()),
            "uint64 in the file, some beyond 9223372036854775807, the largest integer",
        ),
    ],
)
def test_what_no_column_holds_is_left_out(values: pa.Array, why: str) -> None:
    assert typed_values("a", pa.chunked_array([values])) == LeftOut("a", why)
