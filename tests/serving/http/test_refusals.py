"""What is no request: one answer, one line in the log, one count, and nothing held."""

import json
import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import httpx
import pytest

from tests.serving.endpoints.test_predictions import ROW
from tests.serving.http.test_rules_of_http import BODY, CHUNKS, END, SOCKET, get, post
from tests.support.running import app_of, current_of, running
from tests.support.wire import say

JAVA = """
import java.net.URI;
import java.net.http.*;

class Ask {
    public static void main(String[] told) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(told[0] + "/predict"))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(told[1])).build();
        var client = HttpClient.newHttpClient();
        for (int i = 0; i < 2; i++) {
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version());
        }
    }
}
"""


def test_what_is_no_request_has_one_line_and_one_count(
    package: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = StringIO()
    broken = post(CHUNKS, body=b"5\r\nabc", length=False)
    with running(app_of(current_of(package, home), home, lines)) as address:
        for sent in (b"\x16\x03\x01\x02", b"GET /77123 HTTP/1.1\r\nHost : a\r\n\r\n"):
            said = say(address, sent)
            assert json.loads(said.body)["reason"] == "bad_http"
            assert said.field("x-request-id") == json.loads(said.body)["instance"][9:]
            assert b"77123" not in said.raw
        body = say(address, broken, b"defgh\r\nzz\r\n")
        scored = say(address, broken.replace(b"/predict", b"/invocations"), b"defgh\r\nzz\r\n")
        # In one piece: who is answered before he has said all may find the connection reset.
        read = say(address, broken.replace(b"POST /predict", b"GET /ping") + b"defgh\r\nzz\r\n")
        text = httpx.get(f"{address}/metrics").text
    assert (scored.statuses, set(json.loads(scored.body))) == ([400], {"error_code", "message"})
    assert len(read.statuses) == 1
    assert (body.statuses, json.loads(body.body)["reason"]) == ([400], "bad_http")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["route"], line["status"], line.get("reason")) for line in told[:3]] == [
        ("other", 400, "bad_http"),
        ("other", 400, "bad_http"),
        ("/predict", 400, "bad_http"),
    ]
    assert 'fourcycle_rejections_total{reason="bad_http"}' in text
    assert len(told) == 6  # with that of /metrics
    assert caplog.text == ""


def test_a_websocket_is_refused_and_leaves_nothing(
    package: Path, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = StringIO()
    with running(app_of(current_of(package, home), home, lines)) as address:
        for path in ("/predict", "/nothing", "/ping"):
            assert say(address, get(path, *SOCKET)).statuses in ([405], [404], [200])
    assert len(lines.getvalue().splitlines()) == 3
    assert caplog.text == ""


def test_requests_behind_an_offered_upgrade_are_answered_in_order(address: str) -> None:
    offered = post("Connection: Upgrade", "Upgrade: h2c")
    named = b"POST /predict HTTP/1.1\r\nHost: a\r\nX-Request-Id: %d\r\n"
    head = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    rest = b"".join(named % n + head + BODY for n in range(3))
    said = say(address, rest + offered + rest + END)
    assert said.statuses == [200] * 8
    assert re.findall(rb"x-request-id: (\d)\r", said.raw) == [b"0", b"1", b"2"] * 2


def test_any_number_of_offers_at_once_is_read(address: str) -> None:
    offer = get("/ping", method="OPTIONS").replace(b"close", b"Upgrade\r\nUpgrade: x")
    assert say(address, offer * 2_000 + END).statuses == [204] * 2_000 + [200]


@pytest.mark.skipif(not shutil.which("java"), reason="no java here: scripts/debian installs it")
def test_a_java_client_as_it_comes_is_answered(address: str, home: Path) -> None:
    (home / "Ask.java").write_text(JAVA)
    body = json.dumps({"rows": [ROW]})
    command = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "Ask.java", address, body]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["200 HTTP_1_1", "200 HTTP_1_1"]
