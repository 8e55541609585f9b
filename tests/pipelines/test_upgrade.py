"""A store of release 0.2.0 opens, goes on and is brought up to date; a later one is refused."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from contract.errors import BadInput, FourcycleError, Refused
from contract.store.ledger import read_entries
from contract.store.predictions import predictions_schema
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest
from pipelines.backup import backup
from pipelines.registry.move import settle
from pipelines.registry.versions import champion_of
from pipelines.runtime.keeping.manifest import MANIFEST, read_manifest
from pipelines.runtime.keeping.places import Place
from pipelines.runtime.workspace import Workspace, connected
from pipelines.split import split
from pipelines.upgrade import main, upgrade
from pipelines.validate import newest_valid
from serving.follower import Follower
from serving.log.record import UnreadableRecord, decode
from serving.log.segment_frames import VERSION, Frame, FrameKind
from serving.scoring.cache import Cache
from serving.scoring.pointer import LedgerReader
from serving.scoring.scorer import FORMAT, SCORER_FILE, load_scorer
from tests.support.small import check_here, client_of
from tests.support.stores import ask_for_later, released, relocated, settings_of
from tests.support.versions import check

USE_CASE = "penguins"


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released(tmp_path_factory.mktemp("released"))


@pytest.fixture
def store(packed: Path, home: Path) -> Path:
    shutil.copytree(packed, home, dirs_exist_ok=True)
    return relocated(home)


@pytest.fixture
def workspace(store: Path) -> Workspace:
    return connected(load_use_case(USE_CASE), settings_of(store), "training")


def test_its_history_is_whole_and_shown_by_the_registry(workspace: Workspace) -> None:
    moves = [(entry.move, entry.version) for entry in settle(workspace)]
    assert moves == [("register", "1"), ("promote", "1"), ("register", "2"), ("promote", "2")]
    check(workspace)
    champion = champion_of(workspace)
    assert champion
    assert champion.version == "2"


def test_a_service_fetches_and_checks_its_champion(store: Path) -> None:
    point = LedgerReader(Tables(str(store / "data"), USE_CASE), USE_CASE)
    cache = Cache(store / "cache")
    follower = Follower(lambda: client_of(store), cache, USE_CASE, point, check=check_here)
    announced = follower.look()
    assert announced.trouble == ""
    assert announced.champion
    assert announced.champion.version == "2"


def test_its_answers_and_labels_are_monitored_once(store: Path) -> None:
    settings, last = settings_of(store), WindowRequest(last=60)
    (found,) = monitor(load_use_case(USE_CASE), settings, last)
    assert (found.rows, found.version, found.status) == (60, "1", "WATCH")
    assert monitor(load_use_case(USE_CASE), settings, last)[0].already


def test_a_step_is_done_anew_by_the_code_of_today_and_then_reused(workspace: Workspace) -> None:
    validated, _ = newest_valid(workspace)
    assert [split(workspace, validated).reused for _ in range(2)] == [False, True]


def test_it_needs_no_upgrade(store: Path) -> None:
    assert upgrade(settings_of(store)) == []


def test_an_older_database_and_tables_are_brought_up_to_date(store: Path) -> None:
    settings, tables = settings_of(store), connected_tables(store)
    shutil.rmtree(store / "data/penguins/predictions")
    old = predictions_schema({"island": "string"}, {"penguin": "integer"}, "string")
    tables.create("predictions", pa.schema([f for f in old if f.name not in ("key_id", "source")]))
    step_back(store)
    planned = upgrade(settings, dry_run=True)
    assert [one.what for one in planned] == ["database", "penguins/predictions"]
    assert planned[1].how == "columns key_id, source"
    assert upgrade(settings) == planned
    assert upgrade(settings) == []
    assert {"key_id", "source"} <= set(tables.schema("predictions").names)
    settle(connected(load_use_case(USE_CASE), settings, "releases"))


def test_a_table_without_the_properties_of_its_name_gets_them_and_people_read_so(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = connected_tables(store).open("training")
    name = "delta.enableExpiredLogCleanup"
    table.alter.set_table_properties({name: "true"})
    said = []
    for dry_run in ("yes", "", ""):
        main(dry_run=dry_run)
        said.append(" ".join(capsys.readouterr().err.split()))
    assert "Would be upgraded" in said[0] and "penguins/training properties" in said[0]
    assert "Upgraded" in said[1] and "penguins/training properties" in said[1]
    assert "nothing to do, all is as this release needs it" in said[2]
    configuration = connected_tables(store).open("training").metadata().configuration
    assert configuration[name] == "false"


def connected_tables(store: Path) -> Tables:
    return Tables(str(store / "data"), USE_CASE)


def step_back(store: Path) -> None:
    """Undo the newest migration of MLflow by its own way back."""
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config

    command.downgrade(_get_alembic_config(f"sqlite:///{store}/mlflow.db"), "-1")


def say(store: Path, revision: str) -> None:
    """Let the database say that it stands at a migration."""
    with closing(sqlite3.connect(store / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])


def test_an_older_database_names_the_command(store: Path) -> None:
    say(store, "75868b020152")
    with pytest.raises(BadInput, match="fourcycle upgrade"):
        connected(load_use_case(USE_CASE), settings_of(store), "training")


def newer_database(store: Path) -> None:
    say(store, "fromthefuture")
    connected(load_use_case(USE_CASE), settings_of(store), "training")


def newer_database_upgraded(store: Path) -> None:
    with pytest.raises(Refused):
        newer_database(store)
    upgrade(settings_of(store))


def newer_table(store: Path) -> None:
    ask_for_later(store / "data/penguins/raw")
    connected_tables(store).read("raw")


def newer_entry(store: Path) -> None:
    tables = connected_tables(store)
    row = tables.read("ledger", where="number = 4")
    at = row.schema.names.index("format")
    tables.append("ledger", row.set_column(at, "format", pa.array([99])))
    read_entries(tables)


def newer_package(store: Path) -> None:
    plan = next(store.glob(f"mlruns/**/{SCORER_FILE}"))
    plan.write_text(json.dumps(json.loads(plan.read_text()) | {"format": FORMAT + 1}))
    load_scorer(plan.parent)


def newer_backup(store: Path) -> None:
    backup(settings_of(store), str(store / "backup"))
    manifest = store / "backup" / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 2}))
    read_manifest(Place.of(str(store / "backup")))


@pytest.mark.parametrize(
    "opened",
    [
        newer_database,
        newer_database_upgraded,
        newer_table,
        newer_entry,
        newer_package,
        newer_backup,
    ],
)
def test_what_a_later_release_wrote_is_refused_by_name(
    store: Path, opened: Callable[[Path], None]
) -> None:
    with pytest.raises(FourcycleError, match=r"newer|of Fourcycle"):
        opened(store)


def test_a_record_of_a_later_release_is_kept_by_name() -> None:
    with pytest.raises(UnreadableRecord, match=f"record version {VERSION + 1}"):
        decode(Frame(0, FrameKind.PREDICTIONS, VERSION + 1, 1, b""))
