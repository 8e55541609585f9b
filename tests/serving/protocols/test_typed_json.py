"""The fast way into columns takes nothing that the slow way would not take with the same result."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from serving.protocols import mlflow, oip, typed_rows
from serving.protocols.protocol import BodyLimits
from serving.requests.columns import CheckedColumns, SentColumns, bounded, check
from serving.requests.errors import Problem
from serving.requests.strict_json import parse_json
from serving.requests.typed_json import MOST_ORDERS
from serving.scoring.scorer import Scorer
from serving.scoring.version import ServedVersion

USE_CASE = parse_use_case(
    """
name: typed
title: One column of each type, nullable and not
task: regression
source: {csv: rows.csv}
keys: [id, "a key"]
event_time: moment
time_zone: America/New_York
target: y
columns:
  id: {type: integer}
  a key: {type: string, categories: [k, l]}
  moment: {type: timestamp}
  y: {type: number}
  count: {type: integer, min: -5, max: 9007199254740995}
  size: {type: number, nullable: true, min: 0, max: 10, out_of_range: reject}
  free: {type: number}
  open: {type: boolean, nullable: true}
  colour: {type: string, nullable: true, categories: [red, green], unseen: reject}
  note: {type: string}
  when: {type: timestamp, nullable: true}
split: {by: time}
estimator: {path: sklearn.linear_model.Ridge}
evaluation: {metric: mae}
""",
    "typed.yaml",
    Path(),
)
LIMITS = BodyLimits(100, 100_000)


def served(use_case: UseCase) -> ServedVersion:
    """A version of the use case, of which only the columns matter."""
    scorer = Scorer(use_case.features, (), lambda _: np.zeros((1, 1)))
    return ServedVersion("typed", "1", "", use_case, scorer)


TYPED_ROWS = typed_rows.TypedRowsCodec(served(USE_CASE), LIMITS)
INVOCATIONS = mlflow.InvocationsCodec(served(USE_CASE), LIMITS)
ROW: dict[str, Any] = {
    "count": 3,
    "size": 2.5,
    "free": -1.5,
    "open": True,
    "colour": "red",
    "note": "a:b",
    "when": "2024-01-01T02:00:00+02:00",
}
NUMBERS = st.one_of(
    st.integers(-10, 10),
    st.integers(2**53 - 2, 2**53 + 2).flatmap(lambda n: st.sampled_from([n, -n])),
    st.integers(2**63 - 2, 2**63 + 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-20, 20).map(float),
    st.just(-1e300),
)
CELLS = st.one_of(
    NUMBERS,
    st.booleans(),
    st.none(),
    st.text(alphabet='ab:"\\\u00e9{}', max_size=4),
    st.sampled_from(
        [
            "red",
            "k",
            "2024-01-01",
            "2024-01-01T00:00:00Z",
            "2024-03-10T02:30",
            "24:00",
            [],
            {"a": 1},
        ]
    ),
)
ROWS = st.fixed_dictionaries(
    {name: st.one_of(st.just(value), CELLS) for name, value in ROW.items()},
    optional={"id": CELLS, "a key": CELLS, "moment": CELLS, "stranger": CELLS},
)


def invoked(body: Any) -> SentColumns:
    return mlflow.sent_columns(body, USE_CASE)


def slow(body: bytes, read: Callable[[Any], SentColumns]) -> CheckedColumns | None:
    try:
        sent = read(parse_json(body))
        bounded(sent.n_rows, 100)
        return check(sent, USE_CASE)
    except Problem:
        return None


@given(st.lists(st.one_of(st.just(ROW), ROWS), max_size=3), st.booleans())
def test_fast_and_slow_agree_on_rows(rows: list[dict[str, Any]], escaped: bool) -> None:
    body = json.dumps({"rows": rows}, ensure_ascii=escaped).encode()
    assert TYPED_ROWS.decode_typed(body) in (None, slow(body, typed_rows.sent_columns))
    body = json.dumps({"dataframe_records": rows}, ensure_ascii=escaped).encode()
    assert INVOCATIONS.decode_typed(body) in (None, slow(body, invoked))


@given(st.permutations([*ROW, "id", "moment"]), st.integers(0, 9), st.data())
def test_fast_and_slow_agree_on_a_split(names: list[str], cut: int, data: st.DataObject) -> None:
    whole = ROW | {"id": 1, "moment": "2024-01-01T00:00Z"}
    names = names[cut:] if data.draw(st.booleans()) else names
    cells = [data.draw(st.one_of(st.just(whole[name]), CELLS)) for name in names]
    body = json.dumps({"dataframe_split": {"columns": names, "data": [cells]}}).encode()
    assert INVOCATIONS.decode_typed(body) in (None, slow(body, invoked))


@given(st.integers(0, 400), st.sampled_from([b'"', b":", b",", b"}", b"0", b"\xff", b"\\", b""]))
def test_fast_and_slow_agree_on_spoilt_bodies(at: int, spoilt: bytes) -> None:
    body = json.dumps({"rows": [ROW, ROW]}).encode()
    body = body[:at] + spoilt + body[at + 1 :]
    assert TYPED_ROWS.decode_typed(body) in (None, slow(body, typed_rows.sent_columns))


def test_what_is_usual_takes_the_fast_way() -> None:
    usual = ROW | {"free": 3, "size": None, "id": 7, "moment": "2024-01-01T00:00:00Z"}
    split = {"columns": list(usual), "data": [list(usual.values())], "index": [0]}
    bodies = {"dataframe_records": [usual, usual]}, {"dataframe_split": split}
    assert TYPED_ROWS.decode_typed(json.dumps({"rows": [ROW]}).encode())  # of all tests here
    assert TYPED_ROWS.decode_typed(json.dumps({"rows": [usual]}).encode())
    assert all(INVOCATIONS.decode_typed(json.dumps(body).encode()) for body in bodies)


MEMBERS = json.dumps(ROW)[1:]


@pytest.mark.parametrize(
    "twice",
    [
        '{"rows":[],"rows":[{' + MEMBERS + "]}",
        '{"rows":[{"note":"x","count":1,' + MEMBERS + "]}",
        '{"rows":[{"note":"a:b:c",' + MEMBERS + "]}",
        '{"rows":[{"\\u006eote":"x",' + MEMBERS + "]}",
        '{"rows":[{"note":"x",' + MEMBERS.replace("a:b", "a\\u003ab") + "]}",
    ],
)
def test_a_member_named_twice_is_never_taken(twice: str) -> None:
    assert TYPED_ROWS.decode_typed(twice.encode()) is None


def test_columns_with_a_colon_in_their_name_take_the_slow_way() -> None:
    columns = {"a:b": USE_CASE.columns["note"], "y": USE_CASE.columns["y"]}
    odd: UseCase = USE_CASE.model_copy(update={"columns": columns, "keys": (), "event_time": None})
    body = b'{"rows":[{"a:b":"x"}]}'
    assert typed_rows.TypedRowsCodec(served(odd), LIMITS).decode_typed(body) is None
    assert check(typed_rows.sent_columns(parse_json(body)), odd).features == {"a:b": ["x"]}


@pytest.mark.parametrize("count", [0, -(2**63), 2**63 - 1, -(2**63) - 1, 2**63])
def test_rows_without_a_time_and_with_bounds_beyond_64_bits_take_the_fast_way(count: int) -> None:
    wide = USE_CASE.columns["count"].model_copy(update={"min": -1e30, "max": 1e30})
    columns = {"count": wide, "y": USE_CASE.columns["y"]}
    timeless = {"columns": columns, "keys": (), "event_time": None}
    bare: UseCase = USE_CASE.model_copy(update=timeless)
    body = json.dumps({"rows": [{"count": count}]}).encode()
    fast = typed_rows.TypedRowsCodec(served(bare), LIMITS).decode_typed(body)
    sent = typed_rows.sent_columns(parse_json(body))
    if -(2**63) <= count < 2**63:
        assert fast == check(sent, bare)
        assert fast is not None
        assert fast.event_time == [None]
    else:
        assert fast is None


def test_a_text_that_is_no_time_takes_the_slow_way() -> None:
    for when in ("yesterday", "2024-13-01"):
        body = json.dumps({"rows": [ROW | {"when": when}]}).encode()
        assert TYPED_ROWS.decode_typed(body) is None
        assert slow(body, typed_rows.sent_columns) is None


def test_a_split_that_names_a_column_twice_or_in_one_more_order_takes_the_slow_way() -> None:
    codec = mlflow.InvocationsCodec(served(USE_CASE), LIMITS)

    def taken(names: list[str]) -> bool:
        split = {"columns": names, "data": [[ROW[name] for name in names]]}
        return codec.decode_typed(json.dumps({"dataframe_split": split}).encode()) is not None

    orders = [*map(list, itertools.islice(itertools.permutations(ROW), MOST_ORDERS + 1))]
    assert [taken(order) for order in orders] == [True] * MOST_ORDERS + [False]
    assert taken(orders[0])
    fresh = mlflow.InvocationsCodec(served(USE_CASE), LIMITS)
    twice = {"columns": [*ROW, "note"], "data": [[*ROW.values(), "b"]]}
    assert fresh.decode_typed(json.dumps({"dataframe_split": twice}).encode()) is None


def test_a_regression_is_described_without_classes() -> None:
    regression = served(USE_CASE)
    assert [output["name"] for output in oip.model_metadata(regression)["outputs"]] == [
        "prediction"
    ]
    assert "probability" not in json.dumps(typed_rows.operation(regression)["responses"])
