"""How a connection and the gateway speak of what no cycle of uvicorn answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from serving.requests.errors import Headers, Problem

REFUSAL: Final = "refusal"  # in the state of an ASGI scope

Write = Callable[[int, Headers, bytes], None]  # status, headers, body


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the body of a request can't be read to its end, and how that is written."""

    problem: Problem
    write: Write


class Refuses(Protocol):
    """Who forms, counts and logs the answer to what is no request."""

    def refuse(self, problem: Problem, write: Write) -> None:
        """Answer by `write`."""
