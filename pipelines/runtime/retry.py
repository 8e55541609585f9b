"""Repeat what may be repeated at any point, when the tracking store goes away half way."""

import time
from collections.abc import Callable
from typing import TypeVar

from mlflow import MlflowException

from contract.errors import Unavailable
from tracking.database import PAUSE_S

T = TypeVar("T")

AWAY = "TEMPORARILY_UNAVAILABLE"


def patiently(work: Callable[[], T], wait_s: float) -> T:
    """The result of `work`, which may be repeated; Unavailable when the store stays away."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return work()
        except MlflowException as error:
            if error.error_code != AWAY:
                raise
            if time.monotonic() > deadline:
                raise Unavailable(f"The tracking store was away for {wait_s:g} s.") from error
        time.sleep(PAUSE_S)
