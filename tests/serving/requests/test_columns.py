import math
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from serving.protocols import mlflow, typed_rows
from serving.protocols.openapi_rows import column_schema
from serving.requests.columns import CheckedColumns, SentColumns, bounded, check, transpose
from serving.requests.errors import Problem
from serving.requests.strict_json import parse_json

TYPED = """
name: typed
title: One column of each type
task: binary
source: {csv: rows.csv}
keys: [id, moment]
event_time: moment
target: late
positive: true
columns:
  id: {type: integer}
  moment: {type: timestamp}
  late: {type: boolean}
  count: {type: integer}
  size: {type: number, nullable: true, min: 0, max: 10, out_of_range: reject}
  open: {type: boolean}
  colour: {type: string, categories: [red, green], unseen: reject}
split: {by: time}
estimator: {path: sklearn.linear_model.LogisticRegression}
evaluation: {metric: roc_auc}
"""
ROW: dict[str, Any] = {"count": 3, "size": 2.5, "open": True, "colour": "red"}


@pytest.fixture
def typed(tmp_path: Path) -> UseCase:
    return parse_use_case(TYPED, "typed.yaml", tmp_path)


def checked(rows: list[dict[str, Any]], use_case: UseCase) -> CheckedColumns:
    return check(transpose(rows), use_case)


@pytest.mark.parametrize(
    ("column", "sent", "read"),
    [
        ("count", 2.0, 2),
        ("count", -(2**63), -(2**63)),
        ("size", 7, 7.0),
        ("size", None, None),
        ("colour", "green", "green"),
    ],
)
def test_an_exact_conversion_passes(typed: UseCase, column: str, sent: Any, read: Any) -> None:
    found = checked([ROW | {column: sent}], typed).features[column][0]
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"count": 3.5},
            "Row 1, column 'count': integer expected, found a number that is no integer.",
        ),
        ({"count": True}, "Row 1, column 'count': integer expected, found boolean."),
        ({"count": 2**63}, "Row 1, column 'count': integer expected, found an integer beyond 64"),
        ({"size": 2**53 + 1}, "Row 1, column 'size': number expected, found an integer that"),
        ({"size": math.nan}, "Row 1, column 'size': number expected, found no finite number."),
        ({"count": None}, "Row 1, column 'count': integer expected, found null."),
        ({"count": "77123"}, "Row 1, column 'count': integer expected, found text."),
        ({"size": True}, "Row 1, column 'size': number expected, found boolean."),
        ({"size": 77123}, "Row 1, column 'size': number from 0 to 10 expected"),
        ({"open": 1}, "Row 1, column 'open': boolean expected, found number."),
        ({"colour": 1}, "Row 1, column 'colour': string expected, found number."),
        ({"colour": "77123"}, "Row 1, column 'colour': one of red, green expected"),
        ({"id": "77123"}, "Row 1, column 'id': integer expected, found text."),
        (
            {"moment": "77123rd"},
            "Row 1, column 'moment': timestamp expected, found text that is no ISO 8601 time such "
            "as 2024-01-31T12:30:00Z.",
        ),
        ({"moment": "0001-01-01T00:00+14:00"}, "Row 1, column 'moment': timestamp expected"),
        ({"colou": "77123"}, "Row 1: unknown column; did you mean 'colour'?"),
        ({"late": True}, "Row 1: unknown column"),
    ],
)
def test_a_bad_cell_is_named_and_never_shown(
    typed: UseCase, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(Problem) as refused:
        checked([ROW, ROW | changes], typed)
    assert str(refused.value).startswith(said)
    assert "77123" not in str(refused.value)


def test_keys_and_event_time_are_read_and_no_features(typed: UseCase) -> None:
    sent = ROW | {"id": 7, "moment": "2024-01-01T02:00:00+02:00"}
    found = checked([sent, ROW], typed)
    midnight = datetime(2024, 1, 1, tzinfo=UTC)
    assert found.keys == {"id": [7, None], "moment": [midnight, None]}
    assert found.event_time == [midnight, None]
    assert set(found.features) == set(ROW)


@pytest.mark.parametrize(
    ("sent", "unit", "read"),
    [
        ("2024-01-01", "", datetime(2024, 1, 1, 5, tzinfo=UTC)),
        ("2024-07-01T00:00:00", "", datetime(2024, 7, 1, 4, tzinfo=UTC)),
        ("2024-07-01T00:00:00Z", "", datetime(2024, 7, 1, tzinfo=UTC)),
        (datetime(2024, 1, 1), "", datetime(2024, 1, 1, 5, tzinfo=UTC)),
        (date(2024, 1, 1), "", datetime(2024, 1, 1, 5, tzinfo=UTC)),
        (1700000000, "s", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1700000000.5, "s", datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)),
        ("2024-01-01", "s", datetime(2024, 1, 1, 5, tzinfo=UTC)),
        ("2024-03-10T02:30", "", "the clock of America/New_York skips this time or shows it twice"),
        ("2024-11-03T01:30", "", "the clock of America/New_York skips this time or shows it twice"),
        *(
            (sent, "", "timestamp expected, found text")
            for sent in ("20240101", "2024-W01-1", "2024-01-01x10:00", "2024-01-01T00:00+05:75")
        ),
        ("2024-01-01T00:00:00.1234567", "", "timestamp expected, found text"),
        ("2024-01-01T00:00:00.1234560Z", "", datetime(2024, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        (1700000000, "", "timestamp expected, found number"),
        (1e300, "s", "timestamp expected, found number"),
        (True, "s", "timestamp expected, found boolean"),
    ],
)
def test_a_time_without_an_offset_is_read_by_the_clock_of_the_use_case(
    typed: UseCase, sent: Any, unit: str, read: Any
) -> None:
    moment = typed.columns["moment"].model_copy(update={"unit": unit})
    columns = typed.columns | {"moment": moment}
    york = typed.model_copy(update={"time_zone": "America/New_York", "columns": columns})
    if isinstance(read, str):
        with pytest.raises(Problem, match=f"Row 0, column 'moment': {read}"):
            checked([ROW | {"moment": sent}], york)
    else:
        assert checked([ROW | {"moment": sent}], york).event_time == [read]


def test_a_missing_column_and_too_many_rows_are_refused(typed: UseCase) -> None:
    with pytest.raises(Problem, match=r"Row 0, column 'open': it is missing\."):
        checked([{name: value for name, value in ROW.items() if name != "open"}], typed)
    with pytest.raises(Problem, match=r"Row 0, column 'open': it is missing\."):
        check(SentColumns({n: [v] for n, v in ROW.items() if n != "open"}, 1), typed)
    with pytest.raises(Problem, match=r"3 rows were sent, at most 2 are allowed\.") as refused:
        bounded(3, 2)
    assert refused.value.reason == "too_much"


def test_what_is_unusual_and_allowed_is_flagged(home: Path) -> None:
    loose = parse_use_case(TYPED.replace(": reject", ": allow"), "loose.yaml", home)
    rows = [ROW, ROW | {"colour": "pink", "size": 11}, ROW | {"size": None}]
    assert checked(rows, loose).flags == [[], ["out_of_range:size", "unseen:colour"], []]


@pytest.mark.parametrize(
    "body",
    [
        b"[NaN]",
        b"[-Infinity]",
        b"[1e999]",
        b'{"a": 1, "a": 2}',
        b'["\\udfff"]',
        b"\xef\xbb\xbf[]",
        b"[1,]",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"[1] 2",
        b'["\xff"]',
        b"",
    ],
)
def test_json_is_strict(body: bytes) -> None:
    started = time.thread_time()
    with pytest.raises(Problem, match="not valid JSON"):
        parse_json(body)
    assert time.thread_time() - started < 0.05


def test_every_finite_number_passes() -> None:
    assert parse_json(b"[1e308, -0.0, 123456789012345678901]") == [
        1e308,
        0.0,
        123456789012345678901,
    ]
    assert math.copysign(1, parse_json(b"-0.0")) == -1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dataframe_records": {}}, "dataframe_records must be a list of objects"),
        ({"dataframe_records": [1]}, "dataframe_records must be a list of objects"),
        ({"dataframe_split": {"columns": ["a"]}}, "needs columns and data"),
        ({"dataframe_split": {"columns": [1], "data": []}}, "must be a list of names"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": []}}, "names a column twice"),
        ({"dataframe_split": {"columns": ["a"], "data": [1]}}, "must be a list of rows"),
        ({"instances": [[1, 2]]}, "Row 0: 4 values expected, found 2."),
        ({"instances": 1}, "instances must be a list of objects"),
        ({"inputs": {"count": 1}}, "a list of values for each column"),
        ({"inputs": {"count": [1], "size": []}}, "columns of unequal length"),
        ({"inputs": [ROW], "params": [1]}, "params must be an object"),
        ({"inputs": [ROW], "extra": 1}, "may hold params and nothing else"),
    ],
)
def test_a_wrong_form_is_named(typed: UseCase, body: object, said: str) -> None:
    with pytest.raises(Problem, match=said.replace(".", r"\.")):
        mlflow.sent_columns(body, typed)


@pytest.mark.parametrize("body", [[], {}, {"rows": 1}, {"rows": [1]}, {"rows": [], "more": 1}])
def test_predict_takes_rows_alone(body: object) -> None:
    with pytest.raises(Problem, match="rows"):
        typed_rows.sent_columns(body)


def test_instances_may_be_lists_in_declared_order(typed: UseCase) -> None:
    sent = mlflow.sent_columns({"instances": [list(ROW.values())] * 2}, typed)
    assert sent == SentColumns({name: [value] * 2 for name, value in ROW.items()}, 2)


def test_a_time_that_may_be_a_number_is_described_so(typed: UseCase) -> None:
    moment = typed.columns["moment"]
    counted = moment.model_copy(update={"unit": "ms", "nullable": True})
    assert column_schema(moment)["type"] == "string"
    assert column_schema(counted)["type"] == ["string", "number", "null"]
