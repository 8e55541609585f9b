"""Backup and restore as people type them, on a store of release 0.2.0; what they refuse."""

from collections.abc import Callable
from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.settings import read_settings
from pipelines import backup, restore
from pipelines.runtime.keeping.database import engine_of
from pipelines.runtime.keeping.places import Place, behind_server
from tests.support.stores import released, relocated


@pytest.fixture
def store(home: Path) -> Path:
    """The working folder, with two versions of the penguins in it."""
    return relocated(released(home))


@pytest.fixture
def elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Go to an empty home beside the first."""

    def go() -> Path:
        (home / "elsewhere").mkdir()
        monkeypatch.chdir(home / "elsewhere")
        return home

    return go


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


def test_people_read_what_was_copied_and_what_came_back(
    store: Path, elsewhere: Callable[[], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    backup.main(target="saved")
    told = said(capsys)
    assert "Backed up backup saved files" in told
    assert "versions 2 registered" in told
    assert "WARNING" not in told
    with pytest.raises(BadInput, match="saved holds something; each backup needs a place"):
        backup.main(target="saved")
    elsewhere()
    restore.main(source=str(store / "saved"))
    told = said(capsys)
    assert f"backup {store}/saved, made 20" in told
    assert f"in {store}/elsewhere/data" in told
    with pytest.raises(BadInput, match=r"mlflow\.db holds something|empty home only"):
        restore.main(source=str(store / "saved"))


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_text("{}")])
def test_a_package_that_is_not_whole_is_copied_with_a_warning(
    store: Path, damage: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    damage(sorted(store.glob("mlruns/**/manifest.json"))[0])
    backup.main(target="saved")
    assert "WARNING packages not whole in the store: penguins/" in said(capsys)


@pytest.mark.parametrize("changed", ["database", "tables/*/raw/*.parquet", "artifacts/**/MLmodel"])
def test_a_backup_that_was_changed_is_not_restored(
    store: Path, elsewhere: Callable[[], Path], changed: str
) -> None:
    backup.backup(read_settings(), "saved")
    file = next((store / "saved").glob(changed))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"x")
    elsewhere()
    with pytest.raises(Refused, match=f"{file.name} in the backup is not the file that was backed"):
        restore.main(source=str(store / "saved"))
    assert [p.name for p in Path.cwd().rglob("*") if p.is_file()] == ["mlflow.db.lock"]
    file.write_bytes(whole)
    restore.main(source=str(store / "saved"))  # the home is as empty as before


def test_a_backup_goes_to_a_store_of_its_own_kind(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.backup(read_settings(), "saved")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://127.0.0.1:9/other")
    with pytest.raises(BadInput, match="backup is of sqlite, MLFLOW_TRACKING_URI of postgresql"):
        restore.main(source="saved")


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        (backup.main, BadInput, "target: a folder or an s3:// address"),
        (lambda: backup.main(target="gs://x"), BadInput, "is needed, found 'gs://x'"),
        (lambda: backup.main(target="saved"), BadInput, r"There is no store in .*mlflow\.db"),
        (restore.main, BadInput, "source: the folder or s3:// address of a backup"),
        (lambda: restore.main(source="."), BadInput, "holds no backup.json: it is no backup"),
        (lambda: restore.main(source="broken"), Refused, "backup.json in .*broken can't be read"),
    ],
)
def test_what_can_t_be_done_is_said(
    home: Path, asked: Callable[[], None], error: type[Exception], says: str
) -> None:
    (home / "broken").mkdir()
    (home / "broken/backup.json").write_text('{"format": 1}')
    with pytest.raises(error, match=says):
        asked()


def test_a_server_is_not_spoken_to_in_place_of_its_database(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with (
        pytest.raises(BadInput, match="speaks to the tracking database itself, not to a server"),
        engine_of(read_settings()),
    ):
        pass


def test_what_a_server_hands_out_lies_where_it_keeps_it() -> None:
    assert behind_server("file:///srv/mlruns/1", "s3://store") == ""
    assert behind_server("mlflow-artifacts:/1/run", "s3://store/") == "s3://store/1/run"
    with pytest.raises(BadInput, match="started with as --artifacts-destination"):
        behind_server("mlflow-artifacts:/1/run", "")


def test_artifacts_go_beside_the_database_or_where_they_are_wanted() -> None:
    beside = restore.Destination(read_settings(), "/new/mlruns")
    assert beside.of("/old/mlruns/7", "artifacts/0", "/old") == "/new/mlruns/7"
    assert beside.of("s3://store/7", "artifacts/0", "/old") == "/new/mlruns/0"
    served = restore.Destination(read_settings(), "s3://new")
    assert served.of("mlflow-artifacts:/7", "artifacts/0", "/old") == "s3://new/7"


def test_an_empty_place_has_no_names(home: Path) -> None:
    assert Place.of(str(home / "absent")).names() == []
