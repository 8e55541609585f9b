"""Who acts, by what a server answers, and what its refusals mean."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from mlflow import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, UNAUTHENTICATED

from contract.errors import BadInput, Unavailable
from contract.settings import read_settings
from pipelines.replaying.service_process import free_port
from tracking.server import RETRIES
from tracking.who import Actor, actor_of, denied


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """The address of a server that says this to whatever it is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_request(self, *_: object) -> None:
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def asked(uri: str) -> Actor:
    return actor_of(read_settings().model_copy(update={"tracking_uri": uri, "actor": "ann"}))


@pytest.mark.parametrize(
    ("status", "body", "user"),
    [
        (200, '{"user": {"username": "bo"}}', "bo"),
        (200, "<html>a page for people</html>", ""),
        (200, '{"user": null}', ""),
        (200, '{"user": {"username": 7}}', ""),
        (404, "", ""),
    ],
)
def test_only_a_name_proves_who_acts(status: int, body: str, user: str) -> None:
    with answering(status, body) as uri:
        found = asked(uri)
    assert (found.user, found.claim) == (user, "ann")


def test_a_server_that_is_away_or_asks_who_one_is_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RETRIES, "0")
    uri = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Unavailable, match=f"MLflow's server {uri} does not answer; try again"):
        asked(uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    with (
        answering(401, "") as uri,
        pytest.raises(BadInput, match="not take the credentials of 'ann'"),
    ):
        asked(uri)


def test_a_refusal_of_the_credentials_later_on_says_the_same() -> None:
    assert "asks who you are; MLFLOW_TRACKING_USERNAME and" in denied(
        MlflowException("401", UNAUTHENTICATED)
    )
    assert denied(MlflowException("500", INTERNAL_ERROR)) == ""
