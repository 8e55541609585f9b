"""Where a search keeps its trials: in a database, so that several processes work on one study.

It is one beside MLflow's and never MLflow's own tables: both note the version of their schema in a
table `alembic_version`, and whoever comes second takes the other's for a broken schema.
"""

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy import exc
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from contract.addresses import SERVERS, SQLITE, scheme_of, sqlite_file
from contract.errors import Refused
from contract.settings import Settings
from contract.store.locks import lock_folder, store_lock

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

Swept = Callable[["Study", "FrozenTrial"], None]

FILE = "studies.db"
SCHEMA = "optuna"  # in a PostgreSQL database
BEAT_S = 20  # between two signs of life of a trial
DEAD_S = 90  # without one
LOCKED_S = 60  # a file of sqlite is waited for while another process writes
TRIES = 4  # several processes make the tables of a new database at once


@dataclass(frozen=True)
class StudyPlace:
    """Where studies are kept, and who can work on them besides this process."""

    address: str  # of SQLAlchemy
    schema: str  # of a PostgreSQL database; empty: its file's only one
    alone: str  # why other hosts can't join, in words; empty: they can, or there is none

    @property
    def words(self) -> str:
        """As a person finds it."""
        if self.schema:
            return f"schema {self.schema!r} of the tracking database"
        return self.address.removeprefix(SQLITE)


def place_of(settings: Settings) -> StudyPlace:
    """Beside MLflow's tables where the tracking address names a database, else a file here."""
    store, scheme = settings.store_uri, scheme_of(settings.store_uri)
    if scheme == "postgresql":
        return StudyPlace(store, SCHEMA, "")
    if store.startswith(SQLITE):
        return StudyPlace(_address(sqlite_file(store).with_name(FILE)), "", "")
    file = lock_folder(settings) / FILE
    what = "a tracking server shares no database" if scheme in SERVERS else f"{scheme} has none"
    return StudyPlace(
        _address(file),
        "",
        f"Trials are kept in {file}: {what} for them, so other hosts can't join this search; "
        "with MLFLOW_TRACKING_URI=postgresql://... they can.",
    )


@contextmanager
def open_studies(
    settings: Settings, swept: Swept, beat_s: int = BEAT_S, dead_s: int = DEAD_S
) -> Iterator[RDBStorage]:
    """The storage of studies in the block, made where it is missing; Refused where another Optuna
    made it.

    `swept` is told of each trial whose process gave no sign of life for `dead_s`.
    """
    storage = _opened(settings, swept, beat_s, dead_s)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _opened(settings: Settings, swept: Swept, beat_s: int, dead_s: int) -> RDBStorage:
    place = place_of(settings)
    arguments: dict[str, object] = {"timeout": LOCKED_S}
    if place.schema:
        arguments = {"options": f"-csearch_path={place.schema}"}
    attempts = Retrying(
        retry=retry_if_exception_type(exc.DBAPIError),
        stop=stop_after_attempt(TRIES),
        wait=wait_random(0.1, 1),
        reraise=True,
    )

    def made() -> RDBStorage:
        if place.schema:
            _make_schema(place)
        with unwarned():
            storage = RDBStorage(
                place.address,
                engine_kwargs={"connect_args": arguments},
                heartbeat_interval=beat_s,
                grace_period=dead_s,
                heartbeat_stale_trial_callback=swept,
            )
        if not place.schema:
            _write_locked(storage.engine)
        return storage

    try:
        with store_lock(settings):
            return attempts(made)
    except RuntimeError as error:  # of its schema
        raise Refused(
            f"tune: the trials of searches are in {place.words}, which another release of Optuna "
            f"made ({error}). They are needed no more once a search has ended: remove it."
        ) from error
    except exc.DBAPIError as error:
        reason = str(error.orig).partition("\n")[0]
        raise Refused(
            f"tune: the trials of a search are kept in {place.words}, where they can't be "
            f"({reason}); who owns the database may: CREATE SCHEMA {SCHEMA} AUTHORIZATION user."
            if place.schema
            else f"tune: the trials of a search can't be kept in {place.words} ({reason})."
        ) from error


@contextmanager
def unwarned() -> Iterator[None]:
    """Optuna calls signs of life experimental, at each trial."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def _write_locked(engine: sqlalchemy.Engine) -> None:
    """Let each transaction of sqlite wait for the others before it reads.

    It has no locks of rows, and Python begins a transaction at its first write: two who read the
    same waiting trial both took it.
    """

    @sqlalchemy.event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # SQLAlchemy begins transactions

    @sqlalchemy.event.listens_for(engine, "begin")
    def begun(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()  # of the connections that were made before


def _make_schema(place: StudyPlace) -> None:
    engine = sqlalchemy.create_engine(place.address)
    try:
        # Who may not make one is refused even where it is there.
        if not sqlalchemy.inspect(engine).has_schema(place.schema):
            with engine.begin() as connection:
                connection.execute(sqlalchemy.schema.CreateSchema(place.schema))
    finally:
        engine.dispose()


def _address(file: Path) -> str:
    return f"{SQLITE}{file}"
