"""What each bad request gets: a status, one sentence, and none of its own values."""

import json
import math
import re
import socket
from io import BytesIO
from typing import Any

import httpx
import pandas as pd
import pytest

from tests.support.running import VERSION

ROW: dict[str, Any] = {
    "island": "Biscoe",
    "bill_length_mm": 45.2,
    "bill_depth_mm": 14,
    "flipper_length_mm": 210.0,
    "body_mass_g": 5000,
    "sex": None,
}
JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv; charset=utf-8"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
HEAD = ",".join(ROW)


def raw(content: bytes, headers: dict[str, str] = JSON) -> dict[str, Any]:
    return {"content": content, "headers": headers}


def record(**changes: Any) -> dict[str, Any]:
    return {"json": {"dataframe_records": [ROW, ROW | changes]}}


def without(name: str) -> dict[str, Any]:
    return {"json": {"dataframe_records": [{k: v for k, v in ROW.items() if k != name}]}}


def parquet(frame: pd.DataFrame, **arguments: Any) -> dict[str, Any]:
    file = BytesIO()
    frame.to_parquet(file, **arguments)
    return raw(file.getvalue(), PARQUET)


CELL = "Row 1, column "
BAD: list[tuple[dict[str, Any], int, str]] = [
    (raw(b"{"), 400, "not valid JSON"),
    (raw(b""), 400, "not valid JSON"),
    (raw(b'{"a":1} x'), 400, "not valid JSON"),
    (raw(b"\xff"), 400, "not valid JSON"),
    (raw(b'{"a":"\\ud800"}'), 400, "not valid JSON"),
    (raw(b"[" * 100_000), 400, "not valid JSON"),
    (raw(b"9" * 5000), 400, "not valid JSON"),
    (raw(b'{"inputs": NaN}'), 400, "not valid JSON"),
    (raw(b'{"inputs": 1e999}'), 400, "not valid JSON"),
    (raw(b'{"inputs": [], "inputs": []}'), 400, "no name twice"),
    ({"json": []}, 400, "JSON object"),
    ({"json": {}}, 400, "Exactly one"),
    ({"json": {"inputs": [ROW], "instances": [ROW]}}, 400, "found 2"),
    ({"json": {"dataframe_records": []}}, 400, "no rows"),
    ({"json": {"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}}, 400, "2 values"),
    ({"json": {"dataframe_records": [ROW] * 101}}, 413, "at most 100"),
    (raw(b" " * 100_001), 413, "larger than 100000"),
    (without("sex"), 400, "Row 0, column 'sex': it is missing."),
    (record(wings=2), 400, "Row 1: unknown column"),
    (record(body_mass_g="77123"), 400, CELL + "'body_mass_g': number expected, found text."),
    (record(body_mass_g=True), 400, CELL + "'body_mass_g': number expected, found boolean."),
    (record(body_mass_g=[77123]), 400, CELL + "'body_mass_g': number expected, found list."),
    (record(body_mass_g={"a": 77123}), 400, CELL + "'body_mass_g': number expected, found obj"),
    (record(island=77123), 400, CELL + "'island': string expected, found number."),
    (record(island=None), 400, CELL + "'island': string expected, found null."),
    (record(penguin=3.5), 400, CELL + "'penguin': integer expected, found a number that is no"),
    (record(penguin=10**400), 400, CELL + "'penguin': integer expected, found an integer beyond"),
    (record(penguin=2**63), 400, CELL + "'penguin': integer expected, found an integer beyond"),
    (raw(b"a,b", {"Content-Type": "text/plain"}), 415, "application/json or text/csv"),
    (raw(b"{}", {}), 415, "application/json or text/csv"),
    (raw(b"{}", JSON | {"Content-Encoding": "gzip"}), 415, "is packed"),
    (raw(b"{}", {"Content-Type": "application/json; charset=utf-16"}), 415, "UTF-8"),
    (raw(b"", CSV), 400, "no rows"),
    (raw(HEAD.encode(), CSV), 400, "no rows"),
    (raw(f"{HEAD}\nBiscoe,1".encode(), CSV), 400, "Row 0: 6 values expected, found 2."),
    (raw(f'{HEAD}\n"Biscoe'.encode(), CSV), 400, "not valid CSV"),
    (raw(f"{HEAD}\nBiscoe,1,2,3,heavy,".encode(), CSV), 400, "'body_mass_g': number expected"),
    (raw(f"{HEAD}\nBiscoe,1,2,3,nan,".encode(), CSV), 400, "'body_mass_g': number expected"),
    (raw(f"{HEAD}\nBiscoe,1,2,3,1e999,".encode(), CSV), 400, "found no finite number"),
    (raw(f"{HEAD},sex\nBiscoe,1,2,3,4,,".encode(), CSV), 400, "names a column twice"),
    (raw(HEAD.encode() + b"\n\n" * 150, CSV), 413, "More than 100 rows"),
    (raw(b"PAR1", PARQUET), 400, "not valid Parquet"),
    (parquet(pd.DataFrame([ROW] * 101)), 413, "at most 100"),
    (parquet(pd.DataFrame([ROW | {"body_mass_g": math.inf}])), 400, "found no finite number"),
    (parquet(pd.DataFrame([ROW | {"island": 3}])), 400, "'island': string expected, found num"),
    (parquet(pd.DataFrame([ROW | {"island": ["a"]}])), 400, "'island': string expected, found li"),
]


@pytest.mark.parametrize(("request_", "status", "said"), BAD)
def test_a_bad_request_gets_one_sentence(
    address: str, request_: dict[str, Any], status: int, said: str
) -> None:
    answer = httpx.post(f"{address}/invocations", **request_)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert said in answer.json()["message"]
    assert set(answer.json()) == {"error_code", "message"}
    assert not any(value in answer.text for value in ("77123", "heavy", "Traceback"))


@pytest.mark.parametrize(
    ("rows", "status", "member"),
    [
        ([ROW, ROW | {"bill_depth_mm": "x"}], 422, {"row": 1, "column": "bill_depth_mm"}),
        ([ROW | {"wings": 2}], 422, {"row": 0}),
        ([], 400, {"reason": "bad_body"}),
        ([ROW] * 101, 413, {"reason": "too_much"}),
    ],
)
def test_predict_answers_by_rfc_9457(
    address: str, rows: list[dict[str, Any]], status: int, member: dict[str, Any]
) -> None:
    answer = httpx.post(f"{address}/predict", json={"rows": rows})
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == body["status"] == status
    assert {"type", "title", "detail"} <= set(body)
    assert member.items() <= body.items()


@pytest.mark.parametrize(
    ("method", "path", "status", "member"),
    [
        ("GET", "/invocations", 405, "message"),
        ("GET", "/predict", 405, "detail"),
        ("DELETE", "/ping", 405, "detail"),
        ("GET", "/v2/models/penguins/infer", 405, "error"),
        ("POST", "/v2/models/seals/infer", 404, "error"),
        ("GET", "/v2/nothing", 404, "error"),
        ("GET", "/nothing/heavy", 404, "detail"),
    ],
)
def test_a_wrong_address_is_said_in_the_words_of_its_protocol(
    address: str, method: str, path: str, status: int, member: str
) -> None:
    answer = httpx.request(method, address + path, headers=JSON)
    assert answer.status_code == status
    assert "heavy" not in answer.json()[member]
    assert ("allow" in answer.headers) == (status == 405)


def test_every_way_to_send_a_row_gets_the_same_answer(address: str) -> None:
    frame = pd.DataFrame([ROW])
    split = {"columns": list(ROW), "data": [list(ROW.values())]}
    bodies: list[dict[str, Any]] = [
        {"json": {"dataframe_records": [ROW]}},
        {"json": {"dataframe_split": split}},
        {"json": {"dataframe_split": split | {"index": ["a"]}}},
        {"json": {"instances": [ROW]}},
        {"json": {"instances": [list(ROW.values())]}},
        {"json": {"inputs": {name: [value] for name, value in ROW.items()}}},
        {"json": {"inputs": [ROW]}},
        {"json": {"dataframe_records": [ROW | {"body_mass_g": 5000.0}], "params": {}}},
        raw(frame.to_csv(index=False).encode(), CSV),
        parquet(frame),
        parquet(frame.astype({"island": "category"}).set_index(pd.Index(["x"]))),
    ]
    answers = [httpx.post(f"{address}/invocations", **body) for body in bodies]
    assert [answer.json() for answer in answers] == [{"predictions": ["Gentoo"]}] * len(bodies)
    assert {answer.headers["X-Model-Version"] for answer in answers} == {VERSION}


def test_no_page_of_another_host_may_read_an_answer(address: str) -> None:
    """Sharing across origins is off: a browser finds no leave in any answer."""
    origin = {"Origin": "https://example.org"}
    asking = origin | {"Access-Control-Request-Method": "POST"}
    for path in ("/predict", "/invocations", "/v2/models/penguins/infer", "/feedback", "/ready"):
        assert httpx.options(address + path, headers=asking).status_code == 204
    answer = httpx.post(f"{address}/predict", json={"rows": [ROW]}, headers=origin)
    assert answer.status_code == 200
    found = [answer, *(httpx.options(address + p, headers=asking) for p in ("/predict", "/ready"))]
    assert [name for one in found for name in one.headers if name.startswith("access-")] == []


def test_the_request_id_goes_through(address: str) -> None:
    own = httpx.post(f"{address}/predict", json={"rows": [ROW]})
    assert own.headers["X-Request-Id"] == own.json()["request_id"]
    headers = {"X-Request-Id": "trace-1.2:3"}
    given = httpx.post(f"{address}/predict", json={"rows": [ROW]}, headers=headers)
    assert given.headers["X-Request-Id"] == "trace-1.2:3"
    assert given.headers["X-Prediction-Request-Id"] == given.json()["request_id"]
    bad = httpx.get(f"{address}/ping", headers={"X-Request-Id": "a b<script>"})
    assert len(bad.headers["X-Request-Id"]) == 36


def test_a_body_that_lies_about_its_length_is_refused(address: str) -> None:
    url = httpx.URL(address)
    body = json.dumps({"rows": [ROW]}).encode()
    request = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(request + b"Content-Length: 10\r\n\r\n" + body)
        assert connection.recv(64).startswith(b"HTTP/1.1 400")


def test_a_body_in_pieces_is_counted(address: str) -> None:
    def pieces() -> Any:
        for _ in range(200):
            yield b" " * 1000

    answer = httpx.post(f"{address}/predict", content=pieces(), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


def test_requests_that_come_together_are_answered_in_order(address: str) -> None:
    url = httpx.URL(address)
    body = json.dumps({"rows": [ROW]}).encode()
    head = (
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"X-Request-Id: %d\r\nContent-Length: %d\r\n%b\r\n"
    )
    close = [b""] * 4 + [b"Connection: close\r\n"]
    together = b"".join(head % (n, len(body), last) + body for n, last in enumerate(close))
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        connection.sendall(together)
        found = connection.makefile("rb").read()
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200"] * 5
    assert re.findall(rb"x-request-id: (\d)", found) == [b"0", b"1", b"2", b"3", b"4"]
    assert found.count(b'"predictions":') == 5
