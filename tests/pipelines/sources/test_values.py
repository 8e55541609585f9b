import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from contract.errors import BadInput
from pipelines.sources import values

BIG = 2**53 + 1
MOMENT = datetime(2024, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))

EXACT: list[tuple[list[list[Any]], pa.DataType, list[Any]]] = [
    ([[1, None, 3]], pa.int64(), [1, None, 3]),
    ([[BIG, None]], pa.int64(), [BIG, None]),
    ([[2**63 - 1], [-(2**63)]], pa.int64(), [2**63 - 1, -(2**63)]),
    ([[None], [None, 5]], pa.int64(), [None, None, 5]),
    ([[None, None]], pa.null(), [None, None]),
    ([[1, 2.5]], pa.float64(), [1.0, 2.5]),
    ([[1], [2.5]], pa.float64(), [1.0, 2.5]),
    ([[BIG, 3.0, None]], pa.int64(), [BIG, 3, None]),
    ([[math.nan, 1.5]], pa.float64(), [None, 1.5]),
    ([[math.inf]], pa.float64(), [math.inf]),
    ([[True, None], [False]], pa.bool_(), [True, None, False]),
    ([["007", None, ""]], pa.string(), ["007", None, ""]),
    ([[Decimal("1.50"), None]], pa.decimal128(3, 2), [Decimal("1.50"), None]),
    ([[Decimal("NaN"), Decimal("1")]], pa.decimal128(1, 0), [None, Decimal("1")]),
    ([[Decimal("1.5")], [BIG]], pa.decimal128(20, 1), [Decimal("1.5"), Decimal(BIG)]),
    ([[Decimal("0.125")], [Decimal(1000)]], pa.decimal128(7, 3), [Decimal("0.125"), Decimal(1000)]),
    (
        [[Decimal("1e-20")], [Decimal(10**19)]],
        pa.decimal256(40, 20),
        [Decimal("1e-20"), Decimal(10**19)],
    ),
    ([[MOMENT]], pa.timestamp("us", tz="UTC"), [MOMENT.astimezone(UTC)]),
    ([[datetime(2024, 3, 1)]], pa.timestamp("us"), [datetime(2024, 3, 1)]),
    ([[date(2024, 3, 1)]], pa.date32(), [date(2024, 3, 1)]),
    ([[UUID(int=7)]], pa.string(), [str(UUID(int=7))]),
]

REFUSED: list[tuple[list[list[Any]], str]] = [
    ([[1, 2**63]], "beyond 64 bits in row 2"),
    ([[1], [None, "two"]], "an integer first, text in row 3"),
    ([[1, 2.5, None, "x"]], "a number with a fraction first, text in row 4"),
    ([[None], [1], ["two"]], "an integer first, text in row 3"),
    ([[Decimal("1.5")], [Decimal("10.5")], ["x"]], "first, text in row 3"),
    ([[1], [2.5], ["x"]], "a number with a fraction first, text in row 3"),
    ([["02134", None, 2134]], "text first, an integer in row 3"),
    ([[1, True]], "an integer first, true or false in row 2"),
    ([[MOMENT, datetime(2024, 3, 1)]], "a time with a zone first, a time without a zone in row 2"),
    ([[MOMENT], [datetime(2024, 3, 1)]], "a time without a zone in row 2"),
    ([[BIG, 2.5]], "above 2\\^53"),
    ([[BIG], [2.5]], "above 2\\^53"),
    ([[BIG, 1e300]], "above 2\\^53"),
    ([[BIG, math.inf]], "above 2\\^53"),
    ([[None, b"\\x00"]], "of kind bytes in row 2"),
    ([[{"a": 1}]], "of kind dict in row 1"),
    ([[timedelta(1)]], "of kind timedelta in row 1"),
    ([["\ud800"]], "no Unicode"),
    ([["a", "b"], ["c", "\ud800", "d"]], "no Unicode, in rows 3 to 5"),
    ([[Decimal(10) ** 80]], "too wide"),
    ([[Decimal("Infinity")]], "too wide"),
]


def _column(batches: list[list[Any]]) -> pa.ChunkedArray:
    return values.table(["v"], ([batch] for batch in batches), "source.sql").column("v")


@pytest.mark.parametrize(("batches", "kind", "expected"), EXACT, ids=str)
def test_a_value_stays_what_it_is(
    batches: list[list[Any]], kind: pa.DataType, expected: list[Any]
) -> None:
    column = _column(batches)
    assert (column.type, column.to_pylist()) == (kind, expected)


@pytest.mark.parametrize(("batches", "said"), REFUSED, ids=str)
def test_what_no_column_holds_is_refused_by_name(batches: list[list[Any]], said: str) -> None:
    with pytest.raises(BadInput, match=f"source.sql: column 'v' .*{said}"):
        _column(batches)
