"""A query to a database, by SQLAlchemy, or by DuckDB to a file of its own."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput, Unavailable
from contract.use_case.model import UseCase
from contract.use_case.sections.source import Sql
from pipelines.sources import duckdb, values
from pipelines.sources.newer import Newer
from pipelines.sources.parts import wanted

if TYPE_CHECKING:  # only a source that is a database pays for it
    from sqlalchemy import URL, Connection

BATCH_ROWS = 20_000
# Drivers by the names that people write, and how to have one.
DRIVERS = {
    "psycopg2": "postgresql+psycopg://",
    "MySQLdb": "mysql+pymysql://",
    "mysqlclient": "mysql+pymysql://",
}


def read(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """The answer of the query, as exact as the database gives it."""
    sql = use_case.source.sql or Sql(url="", query="")
    url = _url(sql.url)
    if url.get_backend_name() == "duckdb":
        file = _file(url.database, use_case.source.folder, "DuckDB")
        return duckdb.read(file, _alone(sql.query), newer)
    with _connected(url, use_case.source.folder) as connection:
        rows, _, _ = _answer(connection, use_case, newer)
    return rows


def first(use_case: UseCase, n_rows: int) -> tuple[pa.Table, list[str], bool] | None:
    """The first rows of the answer, the names of all its columns, and whether there are more rows.

    None for DuckDB, which answers as a whole.
    """
    url = _url((use_case.source.sql or Sql(url="", query="")).url)
    if url.get_backend_name() == "duckdb":
        return None
    with _connected(url, use_case.source.folder) as connection:
        return _answer(connection, use_case, None, n_rows)


def _answer(
    connection: "Connection", use_case: UseCase, newer: Newer | None, most: int | None = None
) -> tuple[pa.Table, list[str], bool]:
    """The wanted columns of the answer, in batches from the database to Arrow; at most so many
    rows where that is asked. The names of all columns, and whether rows are left."""
    from sqlalchemy import text
    from sqlalchemy.exc import DataError, SQLAlchemyError

    sql = use_case.source.sql or Sql(url="", query="")
    plain = text(re.sub(r":", r"\\:", _alone(sql.query)))  # a colon is no parameter
    options = {"yield_per": most or BATCH_ROWS}
    try:
        answer = connection.execute(_since(plain, newer, connection), execution_options=options)
        names = list(answer.keys())
        places = wanted(names, use_case, "source.sql")
        parts = answer.partitions(most or BATCH_ROWS)
        batches = (
            [[row[at] for row in rows] for at in places.values()]
            for rows in (islice(parts, 1) if most else parts)
        )
        table = values.table(list(places), batches, "source.sql")
        more = most is not None and next(parts, None) is not None
    except SQLAlchemyError as error:
        # The original message alone: SQLAlchemy's own repeats the statement.
        message = str(getattr(error, "orig", None) or error).partition(" with text ")[0].strip()
        if getattr(error, "connection_invalidated", False):
            raise Unavailable(f"source.sql: the database went away: {message}") from None
        if isinstance(error, DataError):
            message = values.without_values(message)
        raise BadInput(f"source.sql.query failed: {message}") from None
    native = connection.dialect.supports_native_boolean
    return (table if native else _with_booleans(table, use_case)), names, more


def _alone(query: str) -> str:
    """The statement without its semicolon, and the comments after it: it may stand in brackets."""
    return re.sub(r";[;\s]*(--[^\n'\"]*\s*)*$", "", query.strip())


def _since(query: Any, newer: Newer | None, connection: "Connection") -> Any:
    """The query, or what is newer in its answer."""
    from sqlalchemy import ColumnElement, TextClause, bindparam, column, or_, select, text

    if newer is None:
        return query
    if isinstance(newer.than, str) and connection.dialect.name != "sqlite":
        raise BadInput(
            f"source.since: {newer.column} is text, which databases order in ways of their own; "
            "a time or a whole number is needed."
        )
    assert isinstance(query, TextClause)
    since: ColumnElement[Any] = column(newer.column)
    return (
        select(text("*"))
        .select_from(text(f"({query.text}\n) AS newer"))
        .where(or_(since >= bindparam("newest", newer.than), since.is_(None)))
    )


def _with_booleans(rows: pa.Table, use_case: UseCase) -> pa.Table:
    """0 and 1 as booleans where that is declared, for a database that has none."""
    for at, name in enumerate(rows.column_names):
        found = rows.column(name)
        declared = name in use_case.columns and use_case.columns[name].type == "boolean"
        if declared and found.type == pa.int64() and pc.all(pc.is_in(found, _BITS)).as_py():
            rows = rows.set_column(at, name, found.cast(pa.bool_()))
    return rows


_BITS = pa.array([0, 1, None], pa.int64())


def _url(address: str) -> "URL":
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(Template(address).substitute(os.environ))
    except KeyError as error:
        raise BadInput(f"source.sql.url names ${error.args[0]}, which is not set.") from None
    except (ArgumentError, ValueError):
        raise BadInput(
            "source.sql.url is no address of a database, such as postgresql://user@host/name, "
            "mysql+pymysql://user@host/name, sqlite:///file.db or duckdb:///file.duckdb."
        ) from None


@contextmanager
def _connected(url: "URL", folder: str) -> Iterator["Connection"]:
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        url = _read_only(url, folder)
    try:
        # No pool: a connection left open is nobody's to close.
        connection = create_engine(url, poolclass=NullPool).connect()
    except ModuleNotFoundError as error:
        raise BadInput(_without_driver(url, str(error.name))) from None
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise BadInput(f"source.sql.url is no address SQLAlchemy can open: {error}") from None
    except DBAPIError as error:
        raise Unavailable(f"source.sql: the database did not answer: {error.orig}") from None
    with connection:
        if url.get_backend_name() == "sqlite":
            connection.connection.driver_connection.set_authorizer(_attaches_nothing)  # type: ignore[union-attr]
        yield connection


def _attaches_nothing(action: int, *_: object) -> int:
    """SQLite's answer to a query that wants to do something.

    Another file is made where one is attached, and `VACUUM INTO` attaches the one that it writes.
    """
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_ATTACH else sqlite3.SQLITE_OK


def _read_only(url: "URL", folder: str) -> "URL":
    """A SQLite file that is there, opened so that nothing is made or changed."""
    file = _file(str(url.database).removeprefix("file:").partition("?")[0], folder, "SQLite")
    return url.set(database=f"file:{quote(file)}", query={"mode": "ro", "uri": "true"})


def _file(database: str | None, folder: str, kind: str) -> str:
    """A database file; a relative path is relative to the use case."""
    path = Path(folder) / Path(database or "").expanduser()
    if not path.is_file():
        raise BadInput(f"source.sql.url: no {kind} file at {path.absolute()}.")
    return str(path.absolute())


def _without_driver(url: "URL", module: str) -> str:
    if other := DRIVERS.get(module):
        return f"source.sql.url: the driver {module} is not installed; write {other} instead."
    return (
        f"source.sql.url: {url.drivername} needs the Python package {module}, which is not "
        f"installed: pip install {module}, or 'fourcycle[sources]' for MySQL and DuckDB."
    )
