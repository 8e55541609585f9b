"""How a channel delivers: what may pass is tried again until a deadline, a no is not.

No address of a webhook and no secret stands in any error: both open doors.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
from pydantic import SecretStr
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_before_delay,
    wait_random_exponential,
)

from contract.errors import BadInput, Refused, Unavailable
from contract.settings import Settings
from monitoring.alerts.message import Message

Send = Callable[[Message], None]
# One attempt with the longest time, in seconds, that it may wait for an answer.
Attempt = Callable[[Message, float], None]
ATTEMPT_S = 10.0  # to connect, and again to answer
MAX_PAUSE_S = 10.0
WAITS = wait_random_exponential(multiplier=0.2, max=MAX_PAUSE_S)


@dataclass(frozen=True)
class Channel:
    """One way an alert goes out."""

    variable: str  # of the environment, that turns it on
    attempt: Callable[[Settings], Attempt | None]  # None: it is off; BadInput: on by half


class TemporaryFailure(Unavailable):
    """A failure that may pass by itself; the receiver may have said when."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


def persistent(attempt: Attempt, deadline_s: float) -> Send:
    """Attempt until it works; the last failure once the next pause would end past the deadline."""

    def send(message: Message) -> None:
        retrying = Retrying(
            retry=retry_if_exception_type(TemporaryFailure),
            wait=_pause,
            stop=stop_before_delay(deadline_s),
            reraise=True,
        )
        retrying(attempt, message, min(ATTEMPT_S, deadline_s))

    return send


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> None:
    """One attempt; TemporaryFailure when it may work later, Refused when it won't."""
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it writes whole addresses
    sent = {"content-type": "application/json", "user-agent": "fourcycle", **headers}
    try:
        with httpx.stream("POST", url, content=body, headers=sent, timeout=timeout_s) as answer:
            status, after = answer.status_code, answer.headers.get("retry-after", "")
    except httpx.RequestError as error:
        raise TemporaryFailure(f"no answer ({type(error).__name__})") from None
    if status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status):
        raise TemporaryFailure(f"it answered {status}", float(after) if after.isdecimal() else 0.0)
    if not httpx.codes.is_success(status):
        raise Refused(f"it answered {status}")


def address(variable: str, value: SecretStr) -> str:
    """The address in a variable of the environment; BadInput where it holds something else."""
    try:
        url = httpx.URL(value.get_secret_value())
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise BadInput(f"{variable}: an address like https://host/path is needed.")
    return str(url)


def _pause(state: RetryCallState) -> float:
    """What the receiver asked for, else a random pause from a range that doubles."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.after_s if isinstance(error, TemporaryFailure) else 0.0
    return asked or WAITS(state)
