"""Wait for a PostgreSQL database that is away, up to a deadline, instead of failing half way.

A tracking server is waited for by MLflow's own client. Jobs that talk to PostgreSQL without one get
the same here: a new connection is tried until the deadline.
"""

from functools import cache
from typing import Any

import typer
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_fixed,
)

from contract.errors import Unavailable
from contract.settings import read_settings

POSTGRESQL = "postgresql"
PAUSE_S = 0.5


def await_database(uri: str, wait_s: float) -> None:
    """Wait until a PostgreSQL database answers, now and at every later connection of this process.

    Without this MLflow tries to make its first connection for more than an hour.
    """
    import sqlalchemy

    _wait_at_each_connection()
    engine = sqlalchemy.create_engine(uri)
    try:
        engine.connect().close()
    except sqlalchemy.exc.OperationalError as error:
        raise Unavailable(
            f"The tracking database {engine.url.render_as_string()} was away for {wait_s:g} s; "
            "try again later."
        ) from error
    finally:
        engine.dispose()


@cache
def _wait_at_each_connection() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        if dialect.name != POSTGRESQL:
            return None  # SQLAlchemy connects as always
        return _connected(dialect, arguments, options, read_settings().store_wait_s)


def _connected(dialect: Any, arguments: Any, options: Any, wait_s: float) -> Any:
    attempts = Retrying(
        retry=retry_if_exception_type(dialect.loaded_dbapi.OperationalError),
        stop=stop_after_delay(wait_s),
        wait=wait_fixed(PAUSE_S),
        before_sleep=_say_once,
        reraise=True,
    )
    return attempts(dialect.connect, *arguments, **options)


def _say_once(state: RetryCallState) -> None:
    if state.attempt_number == 1:
        typer.echo("  … the database is away; waiting for it", err=True)
