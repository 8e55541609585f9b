"""HTTP's own rules for the head of a request that uvicorn does not hold (RFC 9112)."""

import re
from functools import lru_cache

from serving.requests.errors import Problem
from serving.requests.request import CLOSE, Message, Request

VERSIONS = ("1.1", "1.0")
HOST = re.compile(rb"(\[[0-9A-Fa-fv:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")


def check_head(call: Request, scope: Message) -> None:
    """A Problem unless the head is that of an HTTP/1.1 or HTTP/1.0 request to one host."""
    headers, version = call.headers, scope["http_version"]
    if version not in VERSIONS:
        raise Problem("http_version", "HTTP/1.1 or 1.0 is needed.", headers=[*CLOSE])
    host = headers.get(b"host")
    if host is None:
        if version == "1.1":
            raise _bad("The head Host is needed.")
    elif not _is_host(host):
        raise _bad("The head Host is no name of a host.")
    if len(headers) != len(scope["headers"]) and _times(b"host", scope) > 1:
        raise _bad("The head Host was sent more than once.")
    coding = headers.get(b"transfer-encoding")
    if coding is not None and (
        coding.lower() != b"chunked" or _times(b"transfer-encoding", scope) > 1
    ):
        sentence = "Transfer-Encoding may be chunked and nothing else."
        raise Problem("not_implemented", sentence, headers=[*CLOSE])


def _bad(sentence: str) -> Problem:
    return Problem("bad_http", sentence, headers=[*CLOSE])


def _times(name: bytes, scope: Message) -> int:
    return sum(sent == name for sent, _ in scope["headers"])


@lru_cache(maxsize=256)
def _is_host(value: bytes) -> bool:
    return HOST.fullmatch(value) is not None
