"""Whole columns are checked as cells are: the same values, flags and refusals."""

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.store.frames import plain_values
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from serving.requests import arrow_columns
from serving.requests.arrow_columns import CheckedBatch, check_batch, with_time_flags
from serving.requests.columns import SentColumns, check, flag_times
from serving.requests.errors import Problem
from serving.requests.tabular import checked_parquet

DECLARED = """
name: wide
title: Every type of column
task: binary
source: {csv: rows.csv}
keys: [id, room]
event_time: at
time_zone: America/New_York
target: answer
positive: true
weight: share
columns:
  id: {type: integer}
  room: {type: string}
  at: {type: timestamp, nullable: true, parts: [hour]}
  answer: {type: boolean}
  share: {type: number, min: 0}
  word: {type: string, nullable: true, categories: [a, b, ""]}
  strict: {type: string, categories: [a, b], unseen: reject}
  free: {type: string}
  size: {type: number, nullable: true, min: -0.5, max: 1e3}
  narrow: {type: number, max: 5, out_of_range: reject}
  whole: {type: integer, nullable: true, min: -3, max: 9007199254740993}
  any_whole: {type: integer}
  certain: {type: boolean, nullable: true}
  local: {type: timestamp, feature: false, parts: [minute]}
  counted: {type: timestamp, unit: ms, nullable: true, parts: [second]}
split: {by: random}
estimator: {path: sklearn.linear_model.LogisticRegression}
evaluation: {metric: roc_auc}
"""
CASE = parse_use_case(DECLARED, "wide.yaml", Path())
NOW = datetime(2024, 6, 1, tzinfo=UTC)
INT64 = 2**63
EDGES = [0, 1, -3, -4, 2**53, 2**53 + 1, 2**53 + 2, -(2**53) - 1, INT64 - 1, -INT64]
FLOATS = [0.0, -0.0, 1.5, 7.0, 1e3, 1000.5, 2.0**53, 2.0**62, 2.0**63, -(2.0**63), 1e300]
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]
TEXTS = ["a", "b", "", "c", "é", "2024-01-31T12:30:00Z", "5"]
# Around both changes of the clock, the edges of what Arrow knows of clocks, the first days.
TIMES = [
    *(datetime(2024, 3, 10, 1, 30) + timedelta(minutes=45 * n) for n in range(4)),
    *(datetime(2024, 11, 3, 0, 30) + timedelta(minutes=45 * n) for n in range(4)),
    datetime(1, 1, 1),
    datetime(1699, 12, 31),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(2036, 12, 31, 23),
    datetime(2037, 7, 1),
    datetime(9999, 12, 31, 23),
]
INTEGERS = st.sampled_from(EDGES) | st.integers(-INT64, INT64 - 1) | st.integers(-5, 5)
NUMBERS = st.sampled_from([*FLOATS, *FLOATS, *NOT_FINITE]) | st.floats(-10, 10)
PLACES = st.sampled_from(TIMES)
ARRAYS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-5, 5)),
    (pa.int64(), INTEGERS),
    (pa.uint64(), st.integers(0, 2**64 - 1) | st.integers(0, 5)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), NUMBERS),
    (pa.decimal128(9, 2), st.just(Decimal("1.25"))),
    (pa.string(), st.sampled_from(TEXTS)),
    (pa.large_string(), st.sampled_from(TEXTS)),
    (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(TEXTS)),
    (pa.binary(), st.just(b"a")),
    (pa.list_(pa.int64()), st.just([1])),
    (pa.date32(), PLACES.map(datetime.date)),
    (pa.date64(), PLACES.map(datetime.date)),
    (pa.timestamp("us"), PLACES),
    (pa.timestamp("s", "UTC"), PLACES.map(lambda t: t.replace(microsecond=0, tzinfo=UTC))),
    (pa.timestamp("us", "UTC"), PLACES.map(lambda t: t.replace(tzinfo=UTC))),
    (pa.timestamp("ns"), st.integers(0, 2 * 10**18)),
]
USUAL = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
}
FITTING: dict[str, Any] = {
    "id": 7,
    "room": "r",
    "at": NOW,
    "share": 1.0,
    "word": "a",
    "strict": "b",
    "free": "f",
    "size": -0.0,
    "narrow": 4.0,
    "whole": 2,
    "any_whole": 2**62 + 1,
    "certain": True,
    "local": NOW,
    "counted": NOW,
}


def fitting(n_rows: int) -> dict[str, pa.Array]:
    return {
        name: pa.array([value] * n_rows, USUAL[CASE.columns[name].type])
        for name, value in FITTING.items()
    }


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Rows that fit, but for a column or two of any type and content."""
    n_rows = draw(st.integers(0, 4))
    columns = fitting(n_rows)
    for name in draw(st.lists(st.sampled_from([*FITTING]), min_size=1, max_size=2, unique=True)):
        kind, values = draw(
            st.sampled_from(ARRAYS) | st.sampled_from(likely(CASE.columns[name].type))
        )
        cells = draw(st.lists(st.none() | values, min_size=n_rows, max_size=n_rows))
        columns[name] = pa.array(cells, kind)
    if draw(st.booleans()):
        del columns[draw(st.sampled_from(["id", "room", "share"]))]
    return pa.record_batch(columns)


def likely(kind: str) -> list[tuple[pa.DataType, st.SearchStrategy[Any]]]:
    """Arrays that may fit a column of a type."""
    fits = {
        "string": (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary),
        "integer": (pa.types.is_integer, pa.types.is_floating),
        "number": (pa.types.is_integer, pa.types.is_floating),
        "boolean": (pa.types.is_boolean,),
        "timestamp": (pa.types.is_timestamp, pa.types.is_date),
    }
    return [array for array in ARRAYS if any(is_one(array[0]) for is_one in fits[kind])]


Told = dict[str, list[str]] | str


def by_cells(rows: pa.RecordBatch, case: UseCase) -> Told:
    columns = {name: rows.column(name).to_pylist() for name in rows.schema.names}
    try:
        checked = check(SentColumns(columns, rows.num_rows), case)
    except Problem as problem:
        return str(problem)
    flag_times(checked, case, NOW)
    return told(
        {**checked.features, **checked.keys, "at": checked.event_time, "flags": checked.flags}
    )


def by_columns(rows: pa.RecordBatch, case: UseCase) -> Told:
    try:
        checked = with_time_flags(check_batch(rows, case), case, NOW)
    except Problem as problem:
        return str(problem)
    columns = {n: plain_values(checked.rows.column(n)) for n in checked.rows.schema.names}
    return told({**columns, "flags": checked.flag_lists()})


def told(columns: dict[str, Sequence[Any]]) -> Told:
    """Values with their types and the sign of zero; moments to the microsecond, as tables hold."""
    return {name: [repr(plain(value)) for value in values] for name, values in columns.items()}


def plain(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC).isoformat(timespec="microseconds")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches())
def test_columns_are_read_as_cells_are(rows: pa.RecordBatch) -> None:
    assert by_columns(rows, CASE) == by_cells(rows, CASE)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches().filter(lambda rows: rows.num_rows))
def test_a_parquet_body_is_read_in_columns_as_cell_by_cell(rows: pa.RecordBatch) -> None:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_batches([rows]), file)

    def read() -> Told:
        try:
            checked = checked_parquet(file.getvalue(), CASE, 10, 10**6)
        except Problem as problem:
            return str(problem)
        flag_times(checked, CASE, NOW)
        return told(
            {**checked.features, **checked.keys, "at": checked.event_time, "flags": checked.flags}
        )

    found = read()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(arrow_columns, "read_batch", lambda rows, use_case: None)
        assert found == read()


READ_WHOLE: list[tuple[str, pa.Array]] = [
    *((name, pa.array([], values.type)) for name, values in fitting(0).items()),
    *((name, values) for name, values in fitting(2).items()),
    ("word", pa.array(["a", None, "new"])),
    ("word", pa.array(["a", None, "new"]).dictionary_encode()),
    ("free", pa.array(["a"], pa.large_string())),
    ("size", pa.array([None, 1e9, -0.0, 3.0], pa.float32())),
    ("size", pa.nulls(2)),
    ("narrow", pa.array([2, -(2**53)])),
    ("whole", pa.array([None, -4, 2**53])),
    ("any_whole", pa.array([-INT64, INT64 - 1])),
    ("any_whole", pa.array([2.0**62, -0.0])),
    ("any_whole", pa.array([-(2.0**63)])),
    ("narrow", pa.array([-(2**53)])),
    ("size", pa.array([2**53, -(2**53)])),
    ("whole", pa.array([2**53, -(2**53)])),
    ("certain", pa.array([None, False])),
    ("local", pa.array([datetime(2024, 7, 1)])),
    ("local", pa.array([date(2024, 7, 1)])),
    ("counted", pa.array([1_700_000_000_123, None])),
    ("at", pa.array([datetime(1650, 1, 1, tzinfo=UTC), None], pa.timestamp("ms", "UTC"))),
]


@pytest.mark.parametrize(("name", "values"), READ_WHOLE)
def test_what_fits_needs_no_look_at_its_cells(
    monkeypatch: pytest.MonkeyPatch, name: str, values: pa.Array
) -> None:
    rows = pa.record_batch(fitting(len(values)) | {name: values})
    expected = by_cells(rows, CASE)

    def never(sent: SentColumns, use_case: UseCase) -> CheckedBatch:
        raise AssertionError("its cells were looked at")

    monkeypatch.setattr(arrow_columns, "check", never)
    assert by_columns(rows, CASE) == expected
    assert isinstance(expected, dict)


AT_THE_EDGES: list[tuple[str, list[Any]]] = [
    ("size", [2**53 + 1]),
    ("size", [-(2**53) - 1]),
    ("size", [-0.5, 1e3]),
    ("size", [-0.5000001, 1000.0001]),
    ("size", [float("nan")]),
    ("size", [float("-inf")]),
    ("narrow", [5]),
    ("narrow", [5.5]),
    ("narrow", [True]),
    ("whole", [2**53 + 1]),
    ("whole", [2**53 + 2]),
    ("whole", [-(2**53) - 1]),
    ("whole", [-3, -4]),
    ("any_whole", [2.0**63]),
    ("any_whole", [-(2.0**63) * 2]),
    ("any_whole", [1.5]),
    ("any_whole", [float("inf")]),
]


@pytest.mark.parametrize(("name", "values"), AT_THE_EDGES)
def test_at_the_edges_columns_are_read_as_cells_are(name: str, values: list[Any]) -> None:
    rows = pa.record_batch(fitting(len(values)) | {name: pa.array(values)})
    assert by_columns(rows, CASE) == by_cells(rows, CASE)
    # A bound where float64 holds every other number alone.
    far = CASE.columns["whole"].model_copy(update={"min": -(2.0**53)})
    case: UseCase = CASE.model_copy(update={"columns": CASE.columns | {"whole": far}})
    assert by_columns(rows, case) == by_cells(rows, case)


def test_a_row_names_its_flags_in_the_order_of_columns() -> None:
    odd = {
        "word": pa.array(["new", "a"]),
        "size": pa.array([-1.0, 2000.0]),
        "at": pa.array([datetime(1650, 1, 1, tzinfo=UTC), NOW]),
    }
    found = with_time_flags(check_batch(pa.record_batch(fitting(2) | odd), CASE), CASE, NOW)
    assert found.flag_lists() == [
        ["unseen:word", "out_of_range:size", "out_of_range:at"],
        ["out_of_range:size"],
    ]


def test_a_text_that_is_no_utf_8_is_no_text() -> None:
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    with pytest.raises(UnicodeDecodeError):
        check_batch(pa.record_batch(fitting(1) | {"free": broken}), CASE)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pa.record_batch(fitting(1) | {"narow": pa.array([1.0])}), "did you mean 'narrow'"),
        (pa.record_batch({n: v for n, v in fitting(1).items() if n != "free"}), "free"),
    ],
)
def test_a_strange_or_missing_column_is_named(rows: pa.RecordBatch, said: str) -> None:
    assert said in str(by_columns(rows, CASE))
    assert by_columns(rows, CASE) == by_cells(rows, CASE)


def test_rows_without_an_event_time_are_read_by_their_cells_too() -> None:
    case = CASE.model_copy(update={"event_time": None})
    rows = pa.record_batch(fitting(1) | {"local": pa.array(["2024-07-01T12:30:00Z"])})
    found = with_time_flags(check_batch(rows, case), case, NOW)
    local = plain_values(found.rows.column("local"))
    assert local == [datetime(2024, 7, 1, 12, 30, tzinfo=UTC)]
    assert found.flag_lists() == [[]]


def parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pa.table([[1.0], [2.0]], names=["size", "size"]), "names a column twice"),
        (pa.table({"free": ["a" * 1000] * 1000}), "unpacked rows are larger than 500 bytes"),
        (pa.table({"free": ["a"] * 1001}), "1001 rows were sent, at most 1000 are allowed"),
    ],
)
def test_a_parquet_body_that_is_too_much_or_ambiguous_is_refused(
    table: pa.Table, said: str
) -> None:
    with pytest.raises(Problem, match=said):
        checked_parquet(parquet(table), CASE, 1000, 500)
