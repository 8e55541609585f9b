"""Repeat what may be repeated at any point, when the tracking store or that of the tables goes away
half way."""

from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryError, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from contract.errors import Unavailable
from contract.store.sql import did_not_answer
from tracking.store import is_away
from tracking.trouble import store_trouble
from tracking.waiting import PAUSE_S

T = TypeVar("T")


def retry_while_away(work: Callable[[], T], wait_s: float) -> T:
    """The result of `work`, which may be repeated; Unavailable when a store stays away."""
    attempts = Retrying(
        retry=retry_if_exception(lambda error: is_away(error) or did_not_answer(error)),
        stop=stop_after_delay(wait_s),
        wait=wait_fixed(PAUSE_S),
    )
    try:
        return attempts(work)
    except RetryError as error:
        cause = error.last_attempt.exception()
        which = "store of the tables" if cause and did_not_answer(cause) else "tracking store"
        away = Unavailable(f"The {which} was away for {wait_s:g} s.")
        raise (store_trouble(cause) if cause else None) or away from cause
