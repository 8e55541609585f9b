"""Stores that another folder or another release made, as they come to a test."""

import json
import shutil
import tarfile
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from sqlalchemy import make_url

from contract.settings import Settings, read_settings
from pipelines.relocate import relocate
from tests.support.project import PROJECT

RELEASED = PROJECT / "tests/fixtures/store-0.2.0.tar.xz"
MADE_IN = "/srv/fourcycle"  # where the code of release 0.2.0 made it


def released(folder: Path) -> Path:
    """The store that release 0.2.0 made of the penguins, as it was packed; the folder.

    Two versions, the second in Production, 70 answers, 32 labels, one report. Left out: pictures
    and Evidently's pages.
    """
    folder.mkdir(exist_ok=True)
    with tarfile.open(RELEASED) as packed:
        packed.extractall(folder, filter="data")
    return folder


def relocated(folder: Path) -> Path:
    """The folder, whose store says now that its artifacts lie there."""
    relocate(settings_of(folder))
    return folder


def settings_of(folder: Path) -> Settings:
    """Settings by which store and tables are in the folder."""
    store = {"tracking_uri": f"sqlite:///{folder}/mlflow.db", "root": str(folder / "data")}
    return read_settings().model_copy(update=store)


def ask_for_later(table: Path) -> None:
    """Make a Delta table in a folder need a feature that no release knows yet."""
    commit = table / "_delta_log/00000000000000000000.json"
    actions = [json.loads(line) for line in commit.read_bytes().splitlines()]
    features = {"readerFeatures": ["later"], "writerFeatures": ["later"]}
    versions = {"minReaderVersion": 3, "minWriterVersion": 7}
    told = [a | ({"protocol": versions | features} if "protocol" in a else {}) for a in actions]
    commit.write_text("\n".join(map(json.dumps, told)))


def new_database(server: str, name: str) -> str:
    """The address of a new, empty database of a PostgreSQL server."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def copy_store(source: Path, folder: Path) -> None:
    """The database of a folder in another one, and a link to its artifacts there."""
    shutil.copy(source / "mlflow.db", folder)
    if (source / "mlruns").exists():
        (folder / "mlruns").symlink_to(source / "mlruns")
    relocated(folder)
