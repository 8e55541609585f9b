"""How long a store that does not answer is waited for, and the one line that says so."""

from collections.abc import Callable
from typing import Any

import typer
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from contract.addresses import without_password
from contract.errors import Unavailable

PAUSE_S = 0.5
ANSWER_S = 2  # of silence, after which an address counts as one that does not answer


def patient(is_away: Callable[[BaseException], bool], address: str, wait_s: float) -> Retrying:
    """Attempts until one succeeds or the time is over; the first failure is told in one line."""

    def say_once(state: RetryCallState) -> None:
        if state.attempt_number == 1:
            typer.echo(
                f"  … {without_password(address)} does not answer; waiting for it up to "
                f"{wait_s:g} s (FOURCYCLE_STORE_WAIT_S)",
                err=True,
            )

    return Retrying(
        retry=retry_if_exception(is_away),
        stop=stop_after_delay(wait_s),
        wait=wait_fixed(PAUSE_S),
        before_sleep=say_once,
        reraise=True,
    )


def was_away(address: str, wait_s: float, reason: str = "") -> Unavailable:
    """What ends a job whose store stayed away; a database says why in its first line."""
    why = f" ({reason})" if reason else ""
    how_long = f"was away for {wait_s:g} s" if wait_s else "does not answer"
    return Unavailable(
        f"{without_password(address)} {how_long}{why}; try again later, or set "
        "MLFLOW_TRACKING_URI to where MLflow is."
    )


def options_of(driver: str) -> dict[str, Any]:
    """What makes a database's driver give up on a connection that nobody answers."""
    takes = ("psycopg2", "psycopg", "pymysql", "mysqldb")
    return {"connect_timeout": ANSWER_S} if driver in takes else {}
