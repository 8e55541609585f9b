"""RFC 9110 and 9112, a row for each rule, as docs/serving.md lists them."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from msgspec import structs

from serving.log.record import FEEDBACK_FOLDER
from serving.shipping.shipper_status import status_now, write_status
from tests.serving.endpoints.test_predictions import ROW
from tests.support.project import PROJECT
from tests.support.running import app_of, current_of, running, spool_in
from tests.support.wire import Said, rows_of, say

BODY = json.dumps({"rows": [ROW]}).encode()
CHUNKED = b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
Check = Callable[[Said], object]


class Rule(NamedTuple):
    """What is sent, and what must come back."""

    sent: bytes
    status: int
    holds: Check = lambda said: True


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A request without a body that ends the connection."""
    lines = [f"{method} {path} HTTP/{version}", "Host: a", "Connection: close", *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def post(*fields: str, body: bytes = BODY, length: bool = True) -> bytes:
    """Rows to /predict on a connection that ends with the answer."""
    kept = [f for f in ("Host: a", "Connection: close") if f.split(":")[0] not in str(fields)]
    lines = ["POST /predict HTTP/1.1", *kept, *fields]
    if "Content-Type" not in str(fields):
        lines.append("Content-Type: application/json")
    lines += [f"Content-Length: {len(body)}"] if length else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def is_problem(said: Said) -> bool:
    problem = json.loads(said.body)
    return said.field("content-type") == "application/problem+json" and bool(problem["detail"])


def has(name: str, value: str) -> Check:
    return lambda said: said.field(name) == value


def no_body(said: Said) -> bool:
    return said.body == b"" and int(said.field("content-length") or 0) > 0


OFFERS = "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"
JDK = "Connection: Upgrade, HTTP2-Settings", *OFFERS
SOCKET = "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AA=="
READS, TAKES = has("allow", "get, head, options"), has("allow", "post, options")
CHUNKS = "Transfer-Encoding: chunked"
END = b"GET /ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
RULES: dict[tuple[str, str], Rule] = {
    ("9112 2.3", "`HTTP/2.0` in the request line"): Rule(get("/ping", version="2.0"), 505),
    ("9112 2.3", "`HTTP/3.1` in the request line"): Rule(get("/ping", version="3.1"), 505),
    ("9112 2.3", "HTTP/1.0 without Host"): Rule(b"GET /ping HTTP/1.0\r\n\r\n", 200),
    ("9112 3", "a request line that is none"): Rule(b"GET\r\n\r\n", 400, is_problem),
    ("9112 3.2", "no Host"): Rule(b"GET /ping HTTP/1.1\r\n\r\n", 400, is_problem),
    ("9112 3.2", "two Hosts"): Rule(get("/ping", "Host: b"), 400, is_problem),
    ("9112 3.2", "a Host that is none"): Rule(
        b"GET /ping HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, is_problem
    ),
    ("9112 3.2.2", "a whole address as target"): Rule(get("http://a/ping"), 200),
    ("9112 5.1", "a blank before a colon"): Rule(get("/ping", "Name : x"), 400, is_problem),
    ("9112 5.2", "a folded field"): Rule(get("/ping", "Name: x\r\n y"), 400, is_problem),
    ("9112 6.1", "a coding other than chunked"): Rule(
        post("Transfer-Encoding: gzip, chunked", body=CHUNKED + b"\r\n", length=False), 501
    ),
    ("9112 6.3", "a length and chunks"): Rule(post(CHUNKS), 400, is_problem),
    ("9112 6.3", "two lengths"): Rule(post("Content-Length: 1"), 400, is_problem),
    ("9112 7.1", "chunks"): Rule(post(CHUNKS, body=CHUNKED + b"\r\n", length=False), 200),
    ("9112 7.1", "a chunk whose size is none"): Rule(
        post(CHUNKS, body=b"zz\r\n", length=False), 400, is_problem
    ),
    ("9112 7.1.2", "trailers that name headers"): Rule(
        post(CHUNKS, body=CHUNKED + b"X-Request-Id: late\r\nHost: b\r\n\r\n", length=False),
        200,
        lambda said: said.field("x-request-id") != "late",
    ),
    ("9112 9.3.2", "an answer before a refusal"): Rule(
        post("Connection: keep-alive") + b"\x00\r\n\r\n",
        200,
        lambda said: said.statuses == [200, 400],
    ),
    ("9110 7.8", "`Upgrade: h2c` beside a body (JDK)"): Rule(post(*JDK) + END, 200),
    ("9110 7.8", "`Upgrade: h2c` beside chunks"): Rule(
        post(*JDK, CHUNKS, body=CHUNKED + b"\r\n", length=False) + END, 200
    ),
    ("9110 7.8", "`Upgrade: websocket`"): Rule(get("/predict", *SOCKET), 405, TAKES),
    ("9110 8.3.1", "parameters of a Content-Type"): Rule(
        post("Content-Type: application/json; charset=utf-8; v=1"), 200
    ),
    ("9110 8.3.2", "a charset other than UTF-8"): Rule(
        post("Content-Type: application/json; charset=latin1"),
        415,
        lambda said: b"its charset UTF-8" in said.body,
    ),
    ("9110 8.4", "a packed body"): Rule(
        post("Content-Encoding: gzip"), 415, has("accept-encoding", "identity")
    ),
    ("9110 8.8.3", "a document with its tag"): Rule(
        get("/openapi.json"), 200, lambda said: said.field("etag")
    ),
    ("9110 9.1", "an unknown method"): Rule(get("/ping", method="BREW"), 501, is_problem),
    ("9110 9.3.2", "HEAD where GET is answered"): Rule(get("/ready", method="HEAD"), 200, no_body),
    ("9110 9.3.2", "HEAD where it is not"): Rule(get("/predict", method="HEAD"), 405, TAKES),
    ("9110 9.3.6", "CONNECT"): Rule(get("a:1", method="CONNECT"), 405, is_problem),
    ("9110 9.3.7", "OPTIONS of an address that is read"): Rule(
        get("/ping", method="OPTIONS"), 204, READS
    ),
    ("9110 9.3.7", "OPTIONS of an address that takes rows"): Rule(
        get("/predict", method="OPTIONS"), 204, TAKES
    ),
    ("9110 9.3.7", "OPTIONS of the service"): Rule(
        get("*", method="OPTIONS"), 204, has("allow", "get, head, post, options")
    ),
    ("9110 9.3.7", "OPTIONS of nothing"): Rule(get("/nothing", method="OPTIONS"), 404),
    ("9110 10.1.1", "`Expect: 100-continue`"): Rule(
        post("Expect: 100-continue"), 100, lambda said: said.statuses == [100, 200]
    ),
    ("9110 13.1.2", "`If-None-Match: *`"): Rule(
        get("/", "If-None-Match: *"), 304, lambda said: said.body == b""
    ),
    ("9110 15.5.6", "405 with Allow"): Rule(get("/ready", method="DELETE"), 405, READS),
    ("9110 4.2.3", "a slash at the end"): Rule(get("/ping/"), 200),
}


@pytest.mark.parametrize("rule", RULES, ids=" ".join)
def test_a_rule_of_http(address: str, rule: tuple[str, str]) -> None:
    sent, status, holds = RULES[rule]
    said = say(address, sent)
    assert said.statuses[:1] == [status], said.raw
    assert holds(said), said.raw


def test_the_documents_list_the_rules() -> None:
    page = (PROJECT / "docs/serving.md").read_text()
    listed = [
        (section, what, int(status)) for section, what, status in rows_of(page, "HTTP's rules")
    ]
    assert listed == [(*named, rule.status) for named, rule in RULES.items()]


def test_a_head_that_comes_in_pieces_with_an_upgrade_is_answered(address: str) -> None:
    whole = post(*JDK) + END
    for cut in (10, 60, len(post(*JDK)) - 3):
        assert say(address, whole[:cut], whole[cut:]).statuses == [200, 200]


def test_a_slash_at_the_end_changes_nothing(address: str) -> None:
    for path in ("/predict", "/invocations"):
        given: dict[str, Any] = {"predict": {"rows": [ROW]}, "invocations": {"inputs": [ROW]}}
        assert httpx.post(f"{address}{path}/", json=given[path[1:]]).status_code == 200
    for path in ("/docs", "/redoc"):
        page = httpx.get(f"{address}{path}/").text
        assert '"../static/' in page
        assert "../openapi.json" in page
    assert httpx.get(f"{address}/v2/").json() == httpx.get(f"{address}/v2").json()


def test_a_tag_saves_a_document_that_is_known(package: Path, home: Path) -> None:
    for spool in (spool_in(home), spool_in(home) / FEEDBACK_FOLDER):
        spool.mkdir(parents=True)  # the page tells since when a shipper is silent, second by second
        write_status(spool, structs.replace(status_now(spool, 0, ""), time=time.time() + 3600))
    with running(app_of(current_of(package, home), home)) as address:
        for path in ("/", "/openapi.json", "/docs", "/redoc"):
            assert_a_tag_saves(address + path)


def assert_a_tag_saves(url: str) -> None:
    first = httpx.get(url)
    tag = first.headers["etag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}'):
        again = httpx.get(url, headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    assert httpx.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    assert httpx.head(url).headers["content-length"] == str(len(first.content))
