"""Comments on a pull request, against a server that keeps them as GitHub's REST interface does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from contract.errors import BadInput, Unavailable
from pipelines.release.pull_request.github import PER_PAGE, Repository, approver_of, comment_on

MARK = "<!-- fourcycle: made -->"


class Comments(BaseHTTPRequestHandler):
    """The comments of one pull request."""

    kept: list[dict[str, object]] = []  # noqa: RUF012  # set anew for each test

    def do_GET(self) -> None:
        if self.path.endswith("/actions/runs/12/approvals"):
            return self._answer(200, self.kept)
        page = int(self.path.rpartition("page=")[2])
        return self._answer(200, self.kept[(page - 1) * PER_PAGE : page * PER_PAGE])

    def do_POST(self) -> None:
        if self.headers["Authorization"] != "Bearer right":
            return self._answer(403, {"message": "Resource not accessible"})
        self.kept.append({"id": len(self.kept), "body": self._body(), "html_url": "address"})
        return self._answer(201, self.kept[-1])

    def do_PATCH(self) -> None:
        comment = self.kept[int(self.path.rpartition("/")[2])]
        comment["body"] = self._body()
        self._answer(200, comment)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""

    def _body(self) -> str:
        return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

    def _answer(self, code: int, value: object) -> None:
        text = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def api() -> Iterator[str]:
    Comments.kept = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Comments)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_second_report_replaces_the_first_and_no_other_comment(api: str) -> None:
    others = [{"id": i, "body": f"remark {i}"} for i in range(PER_PAGE + 5)]
    Comments.kept = [dict(other) for other in others]
    ours = Repository(api, "right", "we/ours")
    assert comment_on(ours, 7, MARK, f"{MARK} first") == "address"
    comment_on(ours, 7, MARK, f"{MARK} second")
    comment_on(ours, 7, "<!-- fourcycle: other -->", "<!-- fourcycle: other --> of its own")
    bodies = [comment["body"] for comment in Comments.kept]
    expected = [other["body"] for other in others]
    assert bodies == [*expected, f"{MARK} second", "<!-- fourcycle: other --> of its own"]


def test_a_token_that_may_not_comment_is_told_so_without_being_shown(api: str) -> None:
    with pytest.raises(BadInput, match=r"403.*pull-requests: write") as refused:
        comment_on(Repository(api, "wrong", "we/ours"), 7, MARK, MARK)
    assert "wrong" not in str(refused.value)


def test_nobody_answers() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        comment_on(Repository("http://127.0.0.1:9", "right", "we/ours"), 7, MARK, MARK)


def test_who_let_a_deployment_through_last_is_asked_for(api: str) -> None:
    ours = Repository(api, "right", "we/ours")
    assert approver_of(ours, "12") == ""
    said = [("approved", "ann"), ("approved", "bob"), ("rejected", "eve")]
    Comments.kept = [{"state": state, "user": {"login": name}} for state, name in said]
    assert approver_of(ours, "12") == "bob"


def test_the_repository_is_the_one_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(BadInput, match="GITHUB_TOKEN and GITHUB_REPOSITORY must be set"):
        Repository.of_job()
    monkeypatch.setenv("GITHUB_TOKEN", "right")
    monkeypatch.setenv("GITHUB_REPOSITORY", "we/ours")
    assert Repository.of_job() == Repository("https://api.github.com", "right", "we/ours")
