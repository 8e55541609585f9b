"""Whatever stands in whatever place of a body: it is answered or refused, and nothing breaks."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.endpoints.context import now_utc
from serving.protocols import mlflow, oip
from serving.protocols.protocol import Codec
from serving.requests.columns import bounded, transpose
from serving.requests.errors import Problem
from serving.requests.label_columns import check_labels, rows_of
from serving.requests.request import CSV, JSON_ROWS, PARQUET, Request, media_type, read_head
from serving.requests.strict_json import parse_json
from tests.serving.protocols.test_typed_json import (
    INVOCATIONS,
    LIMITS,
    ROW,
    TYPED_ROWS,
    USE_CASE,
    served,
)

INFER = oip.InferCodec(served(USE_CASE), LIMITS)
KINDS = {str: "BYTES", bool: "BOOL", int: "INT64", float: "FP64"}
TENSORS = [
    {"name": n, "shape": [1], "datatype": KINDS[type(v)], "data": [v], "parameters": {}}
    for n, v in ROW.items()
]
SPLIT = {"columns": list(ROW), "data": [list(ROW.values())], "index": [0]}
BY_COLUMN = {name: [value] for name, value in ROW.items()}
NAMED = {"id": "a", "model_name": "typed", "model_version": "1"}
BODIES: list[tuple[Codec, Any]] = [
    (TYPED_ROWS, {"rows": [ROW]}),
    (INVOCATIONS, {"dataframe_split": SPLIT, "params": {}}),
    (INVOCATIONS, {"dataframe_records": [ROW]}),
    (INVOCATIONS, {"instances": [list(ROW.values())]}),
    (INVOCATIONS, {"inputs": BY_COLUMN}),
    (INFER, {**NAMED, "parameters": {}, "inputs": TENSORS, "outputs": [{"name": "prediction"}]}),
]
LABEL = {"id": 1, "a key": "k", "moment": "2024-01-01T00:00Z", "label": 1.5, "label_time": None}
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(-(2**70), 2**70),
    st.sampled_from([10**400, -(10**400), 1e308, 1e39, -0.0, 0.5]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "FP64", "INT8", "BYTES", "data", "a:b", "2024-13-01", "\u0000", "+1"]),
    st.text(max_size=3),
)
NAMES = st.sampled_from(["name", "data", "parameters", "content_type", "binary_data_size", "", "x"])
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside, the whole one first."""
    yield way
    inside: Any = ()
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inside:
        yield from places(item, (*way, key))


def put(body: Any, way: tuple[Any, ...], value: Any) -> Any:
    """The body with another value in one place."""
    if not way:
        return value
    changed = copy.deepcopy(body)
    within = changed
    for key in way[:-1]:
        within = within[key]
    within[way[-1]] = value
    return changed


def call(kind: str, **heads: bytes) -> Request:
    fields = {b"content-type": kind.encode()} | {k.encode(): v for k, v in heads.items()}
    return read_head({"method": "POST", "path": "/", "headers": list(fields.items())})


def answered(codec: Codec, request: Request, body: bytes) -> bool:
    """Whether a body is taken; nothing but a Problem may come of it."""
    try:
        checked, _ = codec.decode(request, body)
        bounded(checked.n_rows, LIMITS.max_rows)
    except Problem:
        return False
    assert {len(values) for values in checked.features.values()} == {checked.n_rows}
    return True


@pytest.mark.parametrize(("codec", "body"), BODIES, ids=lambda given: type(given).__name__)
def test_a_body_as_it_should_be_is_answered(codec: Codec, body: Any) -> None:
    assert answered(codec, call(JSON_ROWS), json.dumps(body).encode())


@pytest.mark.parametrize(("codec", "body"), BODIES, ids=lambda given: type(given).__name__)
@given(data=st.data())
def test_any_json_in_any_place_of_a_body(codec: Codec, body: Any, data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(list(places(body))))
    answered(codec, call(JSON_ROWS), json.dumps(put(body, way, data.draw(JSON))).encode())


@pytest.mark.parametrize("rows", [{"rows": [LABEL]}, LABEL], ids=["rows", "row"])
@given(data=st.data())
def test_any_json_in_any_place_of_feedback(rows: Any, data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(list(places(rows))))
    body = json.dumps(put(rows, way, data.draw(JSON))).encode()
    try:
        check_labels(transpose(rows_of(parse_json(body))), USE_CASE, now_utc())
    except Problem:
        return


@given(st.binary(max_size=60), st.integers(0, 99).map(str), st.data())
def test_any_bytes_behind_the_json(tail: bytes, length: str, data: st.DataObject) -> None:
    kind: Any = data.draw(st.sampled_from(["BYTES", "BOOL", "FP16", "INT64", "BF16", None, []]))
    size = data.draw(st.one_of(st.just(len(tail)), st.integers(-1, 70), JSON))
    part = {
        "name": "note",
        "shape": [1],
        "datatype": kind,
        "parameters": {"binary_data_size": size},
    }
    content = json.dumps({"inputs": [*TENSORS[:5], part, *TENSORS[6:]]}).encode()
    told = data.draw(st.sampled_from([str(len(content)), length, "", "-1", "\u00b2"]))
    heads = {"inference-header-content-length": told.encode()}
    answered(INFER, call("application/octet-stream", **heads), content + tail)


@given(st.binary(max_size=80), st.sampled_from([CSV, PARQUET, JSON_ROWS]))
def test_any_bytes_of_any_kind(body: bytes, kind: str) -> None:
    for codec in (INVOCATIONS, TYPED_ROWS, INFER):
        answered(codec, call(kind), body)


@given(st.binary(max_size=40), st.sampled_from([b"application/json;", b'a/b;c="', b""]))
def test_any_content_type(rest: bytes, start: bytes) -> None:
    assert isinstance(media_type(start + rest), str | None)


def test_the_forms_of_invocations_are_all_tried() -> None:
    assert {next(iter(body)) for codec, body in BODIES if codec is INVOCATIONS} == {*mlflow.FORMS}
