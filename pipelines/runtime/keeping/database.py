"""MLflow's database, spoken to without MLflow: an engine, one consistent copy of it, and back.

A copy is taken while others write: sqlite's online backup, or pg_dump of the very snapshot in which
our own questions are answered.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine import make_url

from contract.addresses import SQLITE, scheme_of, sqlite_file, without_password
from contract.errors import BadInput, Refused
from contract.processes import run_to_end
from contract.settings import Settings
from tracking.database import await_database

POSTGRESQL = "postgresql"


@contextmanager
def engine_of(settings: Settings) -> Iterator[Engine]:
    """An engine of the tracking database, closed after the block; BadInput where there is none to
    be spoken to here."""
    uri = settings.store_uri
    if uri.startswith(SQLITE):
        if not sqlite_file(uri).is_file():
            raise BadInput(f"There is no store in {settings.home}: {sqlite_file(uri)} is missing.")
    else:
        _check_reachable(settings)
    with closed(uri) as engine:
        yield engine


@contextmanager
def closed(uri: str) -> Iterator[Engine]:
    """An engine of a database, closed after the block."""
    engine = sqlalchemy.create_engine(uri)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def copied(settings: Settings, file: Path) -> Iterator[Connection]:
    """Copy the database into a file; in the block, a connection that sees what was copied."""
    if settings.store_uri.startswith(SQLITE):
        with engine_of(settings):
            source = sqlite3.connect(sqlite_file(settings.store_uri))
        with closing(source), closing(sqlite3.connect(file)) as copy:
            source.backup(copy)
        with closed(f"{SQLITE}{file}") as engine, engine.connect() as connection:
            yield connection
        return
    with engine_of(settings) as engine, engine.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        options = ("--format=custom", f"--snapshot={snapshot}", f"--file={file}")
        _postgresql("pg_dump", settings.store_uri, options)
        yield connection


def check_empty(settings: Settings) -> None:
    """BadInput where the database that is to be restored holds something."""
    if settings.store_uri.startswith(SQLITE):
        file = sqlite_file(settings.store_uri)
        full, what = file.exists(), str(file)
    else:
        _check_reachable(settings)
        with closed(settings.store_uri) as engine:
            full = bool(inspect(engine).get_table_names())
        what = without_password(settings.store_uri)
    if full:
        raise BadInput(f"A backup is restored into an empty home only; {what} holds something.")


def load_dump(settings: Settings, file: Path) -> None:
    """Let PostgreSQL read a dump into its empty database, all of it or nothing."""
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _postgresql("pg_restore", settings.store_uri, (*options, str(file)))


def _check_reachable(settings: Settings) -> None:
    if scheme_of(settings.store_uri) != POSTGRESQL:
        raise BadInput(
            "This speaks to the tracking database itself, not to a server: MLFLOW_TRACKING_URI "
            "must name what the server was started with, e.g. postgresql://... or sqlite:///..."
        )
    await_database(settings.store_uri, settings.store_wait_s)


def _postgresql(program: str, uri: str, options: Sequence[str]) -> None:
    """Run a program of PostgreSQL's client; its password stands in no list of processes."""
    if shutil.which(program) is None:
        raise BadInput(f"{program} is needed, PostgreSQL's own program; put its folder on PATH.")
    url = make_url(uri)
    plain = url.set(drivername=POSTGRESQL, password=None).render_as_string()
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    done = run_to_end([program, f"--dbname={plain}", *options], environment=environment)
    if done.code:
        raise Refused(f"{program} failed: {done.reason}")
