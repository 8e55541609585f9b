"""Wait for a tracking database that is away, up to a deadline, instead of failing half way.

A tracking server is waited for by MLflow's own client. Jobs that talk to PostgreSQL without one get
the same here: a new connection is tried until the deadline. A move, which may be repeated at any
point, is repeated when the database goes away in the middle of a statement.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from mlflow import MlflowException

from contract.errors import Unavailable
from contract.settings import read_settings
from pipelines.console import console

T = TypeVar("T")

POSTGRESQL = "postgresql"
PAUSE_S = 0.5
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


def await_database(uri: str, wait_s: float) -> None:
    """Wait until a PostgreSQL database answers, now and at every later connection of this process.

    Without this MLflow tries to make its first connection for more than an hour.
    """
    import sqlalchemy

    _be_patient()
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
def _be_patient() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        if dialect.name != POSTGRESQL:
            return None  # SQLAlchemy connects as always
        return _connected(dialect, arguments, options, read_settings().store_wait_s)


def _connected(dialect: Any, arguments: Any, options: Any, wait_s: float) -> Any:
    deadline, said = time.monotonic() + wait_s, False
    while True:
        try:
            return dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.OperationalError:
            if time.monotonic() > deadline:
                raise
        if not said:
            console().print("  … the database is away; waiting for it")
            said = True
        time.sleep(PAUSE_S)
