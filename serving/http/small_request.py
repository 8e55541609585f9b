"""A small request that came as a whole: what uvicorn's cycle is to all others, at a tenth of it.

uvicorn gives each request a task, an event, a scope and two messages, which cost as much as
checking a row. Of what waits for nothing but its record none of it is needed.
"""

from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.http.gateway import BodyRoute
from serving.requests.errors import Headers
from serving.requests.request import CLOSE


@dataclass(slots=True)
class HeldRequest:
    """A request of which nobody knows yet whether all of it came in one piece."""

    route: BodyRoute
    headers: Headers
    body: bytes = b""


class SmallCycle:
    """Stands where uvicorn keeps the cycle of the newest request of a connection."""

    __slots__ = ("disconnected", "keep_alive", "response_complete")
    more_body = False  # it came as a whole

    def __init__(self) -> None:
        self.keep_alive = self.response_complete = True
        self.disconnected = False

    @property
    def message_event(self) -> "SmallCycle":
        """uvicorn's way to wake up who waits for more of a body: nobody does."""
        return self

    def set(self) -> None:
        """Nobody waits."""


def written(status: int, common: Headers, headers: Headers, body: bytes) -> bytes:
    """An answer as it goes over the wire; `common` are the headers of every answer."""
    lines = b"\r\n".join(map(b": ".join, (*common, *headers)))
    return b"".join((STATUS_LINE[status], lines, b"\r\n\r\n", body))


def closes(common: Headers, headers: Headers) -> bool:
    """Whether an answer says that it is the last."""
    return CLOSE[0] in headers or CLOSE[0] in common
