"""Bodies far over the limit: refused early, and they do not stay in memory."""

import http.client
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.service import Service, running, until
from tests.support.shop import Case

LIMIT = 1_000_000
SENT = 200 * LIMIT
PIECE = b" " * 100_000
GROWTH = 20 * 2**20  # bytes


def pieces() -> Iterator[bytes]:
    for _ in range(SENT // len(PIECE)):
        yield PIECE


def post(service: Service, headers: dict[str, str], chunked: bool) -> int:
    """Status of a body that goes on whatever the service says; 0: it hung up before we read."""
    host, port = service.address.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=30)
    headers = {"Content-Type": "application/json"} | headers
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", "/predict", pieces(), headers, encode_chunked=chunked)
        return connection.getresponse().status
    except ConnectionResetError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("headers", "chunked"),
    [({"Content-Length": str(SENT)}, False), ({"Transfer-Encoding": "chunked"}, True)],
    ids=["announced", "chunked"],
)
def test_a_huge_body_is_refused_and_memory_does_not_grow(
    case: Case, headers: dict[str, str], chunked: bool
) -> None:
    case.promote(0)
    case.warm()
    limit = {"serve_max_bytes": str(LIMIT)}
    with running(case.use_case, case.shop.uri, case.folder, **limit) as service:
        until(service.ready)
        (worker,) = service.parts("serving.worker")
        post(service, headers, chunked)  # what is imported for the first refusal is not counted
        before = worker.memory_info().rss
        found = {post(service, headers, chunked) for _ in range(3)}
        assert worker.memory_info().rss - before < GROWTH
        assert 413 in found <= {413, 0}
        assert service.ready()
