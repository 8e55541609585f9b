"""One request as it comes in: its head, and its body within limits of bytes and time."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

import msgspec
import uuid_utils

from contract.names import FORM, HTTP
from serving.requests.errors import Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Scope = Message
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Book = Callable[["Request", int], None]

GIVEN_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
JSON_ROWS, CSV = "application/json", "text/csv"
PARQUET = "application/vnd.apache.parquet"
SOURCE_HEADER = b"x-source"
CHARSETS = ("utf-8", "utf8", "us-ascii")
# RFC 9110, 5.6.6: an empty parameter is one, too.
WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
PARAMETER = re.compile(
    rf';[ \t]*(?:(?P<name>{WORD})=(?:(?P<text>{WORD})|"(?P<quoted>(?:[^"\\]|\\.)*)"))[ \t]*'
)
PARAMETERS = re.compile(rf"(?:{re.sub('[?]P<[a-z]+>', '?:', PARAMETER.pattern)}|;[ \t]*)*")
LATE = "the body is late"  # the message of a cancellation that comes from the deadline
CLOSE = [(b"connection", b"close")]  # what is left of the body is not read


class ClientDisconnected(Exception):
    """The caller went away; nobody waits for an answer."""


class Request(msgspec.Struct):
    """A request and, in the end, what is logged about it."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    own_id: str  # of the predictions, a UUIDv7
    given_id: str | None  # the caller's X-Request-Id
    started: float
    key: str | None = None
    booked: int = 0  # bytes of the worker's memory that its body may take
    bytes_in: int = 0
    rows: int = 0
    version: str | None = None
    reason: str | None = None

    @property
    def request_id(self) -> str:
        """What X-Request-Id says in the answer."""
        return self.given_id or self.own_id

    @property
    def source(self) -> str:
        """Where it was asked: the form of the status page says so, what says nothing is `http`."""
        return FORM if self.headers.get(SOURCE_HEADER) == FORM.encode() else HTTP

    @property
    def media_type(self) -> str | None:
        """What the body is, "" where nothing says so; None: packed, another charset, no type."""
        if self.packed:
            return None
        return media_type(self.headers.get(b"content-type", b""))

    @property
    def packed(self) -> bool:
        """Whether the body is coded for its way, which is not undone here."""
        coding = self.headers.get(b"content-encoding")
        return coding is not None and coding.lower() != b"identity"

    @property
    def length(self) -> int | None:
        """Content-Length, where there is one."""
        length = self.headers.get(b"content-length", b"")
        return int(length) if length.isdigit() else None


def read_head(scope: Message) -> Request:
    """The call of an ASGI scope."""
    headers = dict(scope["headers"])  # ASGI's names are lower case
    given = headers.get(b"x-request-id")
    given_id = given.decode("latin-1") if given and GIVEN_ID.fullmatch(given) else None
    own_id = str(uuid_utils.uuid7())
    return Request(scope["method"], scope["path"], headers, own_id, given_id, time.perf_counter())


@lru_cache(maxsize=256)
def media_type(header: bytes) -> str | None:
    """The media type of a Content-Type (RFC 9110, 8.3.1), whatever its other parameters are.

    None where it is none, or names a charset other than UTF-8 or a part of it.
    """
    name, _, parameters = header.decode("latin-1").partition(";")
    if not PARAMETERS.fullmatch(f";{parameters}" if parameters else ""):
        return None
    for found in PARAMETER.finditer(f";{parameters}"):
        value = found["text"] if found["text"] is not None else found["quoted"]
        if found["name"].lower() == "charset" and value.lower() not in CHARSETS:
            return None
    return name.strip().lower()


async def read_body(
    call: Request, receive: Receive, max_bytes: int, seconds: float, book: Book
) -> bytes:
    """The body; memory does not grow with what is refused, and time to send it is limited.

    `book` is asked before a body grows beyond what is booked for it, and may refuse.
    """
    task = asyncio.current_task()
    assert task is not None
    # What asyncio.timeout does, at a fifth of its price; most bodies are there already.
    deadline = asyncio.get_running_loop().call_later(seconds, task.cancel, LATE)
    try:
        return await _receive(call, receive, max_bytes, book)
    except asyncio.CancelledError as error:  # clocks tell less: uvloop's differ by roundings
        if error.args != (LATE,) or task.uncancel() > 0:
            raise
        sentence = f"The body did not arrive within {seconds:g} s."
        raise Problem("timeout", sentence, headers=[*CLOSE]) from None
    finally:
        deadline.cancel()


async def _receive(call: Request, receive: Receive, max_bytes: int, book: Book) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        part: bytes = message.get("body", b"")
        call.bytes_in += len(part)
        if call.bytes_in > max_bytes:
            raise too_large(max_bytes)
        if not message.get("more_body"):
            return bytes(parts + part) if parts else part
        if call.bytes_in > call.booked:
            book(call, call.bytes_in)
        parts += part


def too_large(max_bytes: int) -> Problem:
    """What a caller hears whose body is over the limit; the rest of it is not read."""
    return Problem("too_much", f"The body is larger than {max_bytes} bytes.", headers=[*CLOSE])
