"""Wait for a database that is away, up to a deadline, instead of failing half way.

Jobs that talk to a database of runs without a tracking server try each new connection until the
deadline.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from contract.addresses import DATABASES, without_password
from contract.errors import BadInput
from contract.settings import read_settings
from tracking.trouble import store_trouble
from tracking.waiting import options_of, patient, was_away

# What a database says that is there; waiting mends none of it.
NO = re.compile(
    r"authentication failed|no password|does not exist|access denied|unknown database", re.I
)


def await_database(uri: str, wait_s: float) -> None:
    """Wait until a database answers, now and at every later connection of this process.

    Without this MLflow tries to make its first connection for more than an hour. Unavailable where
    it stays away, BadInput where the address is none that SQLAlchemy can open, or the database
    answers no.
    """
    _connect_once(uri, wait_s, _awaited())


def ask_database(uri: str) -> None:
    """Unavailable where a database does not answer at once, BadInput as in `await_database`."""
    _connect_once(uri, wait_s=0, awaited=set())


def ask_sqlite(file: Path) -> None:
    """Unavailable where a sqlite file that is there can't be read; none is made.

    MLflow tries again for more than an hour where it can't be opened.
    """
    if not file.exists():
        return
    try:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.DatabaseError as error:
        raise store_trouble(error) or error from error


def _connect_once(uri: str, wait_s: float, awaited: set[str]) -> None:
    import sqlalchemy
    from sqlalchemy import exc

    try:
        url = sqlalchemy.make_url(uri)
        options = options_of(url.get_dialect().driver)
        engine = sqlalchemy.create_engine(url, connect_args=options)
        _, named = engine.dialect.create_connect_args(url)
    except (exc.ArgumentError, exc.NoSuchModuleError, ImportError, ValueError) as error:
        raise BadInput(
            f"MLFLOW_TRACKING_URI: {without_password(uri)!r} can't be opened: {error}"
        ) from None
    awaited.add(_named(engine.dialect.name, named))
    try:
        engine.connect().close()
    except exc.OperationalError as error:
        reason = str(error.orig).partition("\n")[0]
        if NO.search(reason):
            where = without_password(uri)
            raise BadInput(f"MLFLOW_TRACKING_URI: {where} says no: {reason}.") from error
        raise was_away(uri, wait_s, reason) from error
    finally:
        engine.dispose()


@cache
def _awaited() -> set[str]:
    """The databases whose connections are waited for; a use case's own sources are none of them."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    awaited = set[str]()

    @event.listens_for(Engine, "do_connect")
    def connect(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
        if dialect.name not in DATABASES or _named(dialect.name, options) not in awaited:
            return None  # SQLAlchemy connects as always
        return _connected(dialect, arguments, options, read_settings().store_wait_s)

    return awaited


def _connected(dialect: Any, arguments: Any, options: Any, wait_s: float) -> Any:
    def is_away(error: BaseException) -> bool:
        answered = NO.search(str(error)) is not None
        return isinstance(error, dialect.loaded_dbapi.OperationalError) and not answered

    options = options_of(dialect.driver) | options
    attempts = patient(is_away, _named(dialect.name, options), wait_s)
    return attempts(dialect.connect, *arguments, **options)


def _named(kind: str, options: Any) -> str:
    """Which database a connection goes to, without who asks."""
    port = f":{options['port']}" if "port" in options else ""
    name = options.get("dbname") or options.get("database") or ""
    return f"{kind}://{options.get('host', '')}{port}/{name}"
