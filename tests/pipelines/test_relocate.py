"""A store whose folder was moved or copied says so, writes nothing elsewhere, and is mended."""

import shutil
from pathlib import Path

import pytest

from contract.errors import BadInput, Unavailable
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest
from pipelines.data.rehearsal import Rehearsal
from pipelines.ingest import ingest
from pipelines.main import Outcome
from pipelines.relocate import main, relocate
from pipelines.runtime.keeping.database import engine_of
from pipelines.runtime.keeping.relocation import locations
from pipelines.runtime.step import find_finished
from pipelines.runtime.workspace import open_releases, open_workspace
from pipelines.validate import STEP as VALIDATE
from pipelines.validate import validate
from serving.follower import Follower
from serving.scoring.cache import Cache
from serving.scoring.pointer import LedgerReader
from tests.support.small import check_here, client_of
from tests.support.stores import MADE_IN, copy_store, released, settings_of
from tracking.tags import CACHE_KEY_TAG, STEP_TAG

USE_CASE = "penguins"
LAST = WindowRequest(last=60)


def held(folder: Path) -> set[str]:
    with engine_of(settings_of(folder)) as engine, engine.connect() as connection:
        return locations(connection)


@pytest.mark.parametrize("command", ["releases", "training", "monitoring"])
def test_a_moved_store_is_refused_before_anything_is_written(home: Path, command: str) -> None:
    released(home)
    before = sorted(home.rglob("*"))
    with pytest.raises(BadInput, match="fourcycle relocate"):
        if command == "releases":
            open_releases(USE_CASE)
        elif command == "training":
            with open_workspace(USE_CASE):
                pass
        else:
            monitor(load_use_case(USE_CASE), settings_of(home), LAST)
    assert not Path(MADE_IN).exists()
    written = {path.name for path in {*home.rglob("*")} - {*before} if path.is_file()}
    assert written <= {
        "mlflow.db.lock",
        "penguins.lock",
        "penguins.holder",
        "penguins.monitor.lock",
    }


def test_people_read_what_would_change_and_what_did(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    released(home)
    shutil.rmtree(next(home.glob("mlruns/**/manifest.json")).parent)
    before = held(home)
    said = []
    for dry_run in ("yes", "", ""):
        main(dry_run=dry_run)
        said.append(" ".join(capsys.readouterr().err.split()))
    changes = f"{MADE_IN} 41 locations (packages of versions that are not there: 1) →"
    assert f"Would be relocated {changes}" in said[0]
    assert f"Relocated {changes}" in said[1]
    assert "nothing to change, all are as the store says" in said[2]
    assert held(home) != before


def test_relocate_mends_every_location_once_and_can_go_back(home: Path) -> None:
    released(home)
    before = held(home)
    assert relocate(settings_of(home), dry_run=True)[0].changed
    assert held(home) == before
    (done,) = relocate(settings_of(home))
    assert (done.old, done.changed, done.absent) == (MADE_IN, 41, 0)
    assert all(str(home) in location for location in held(home))
    assert relocate(settings_of(home)) == []
    relocate(settings_of(home), str(home), MADE_IN)
    assert held(home) == before


def test_artifacts_left_in_the_old_folder_are_not_lost_from_sight(home: Path) -> None:
    released(home / "old")
    relocate(settings_of(home / "old"))
    (home / "new").mkdir()
    shutil.copy(home / "old/mlflow.db", home / "new")
    with pytest.raises(BadInput, match="copy that folder"):
        relocate(settings_of(home / "new"))


def test_a_folder_whose_name_begins_alike_is_another(home: Path) -> None:
    released(home)
    relocate(settings_of(home), MADE_IN[:-1], str(home))
    assert not any(str(home) in location for location in held(home))


def test_a_package_that_is_gone_is_named_by_service_and_monitoring(home: Path) -> None:
    released(home)
    client, cache = client_of(home), Cache(home / "cache")
    point = LedgerReader(Tables(str(home / "data"), USE_CASE), USE_CASE)
    announced = Follower(lambda: client, cache, USE_CASE, point, check=check_here).look()
    assert announced.champion is None
    assert announced.refused == ()  # it is tried again
    assert "fourcycle relocate" in announced.trouble
    assert MADE_IN not in announced.trouble
    relocate(settings_of(home))
    shutil.rmtree(home / "mlruns")
    with pytest.raises(Unavailable, match="its backup"):
        monitor(load_use_case(USE_CASE), settings_of(home), LAST)


def test_a_result_whose_artifacts_are_gone_is_made_anew(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    copy_store(trained[0], home)
    shutil.copytree(trained[0] / "data", home / "data")
    with open_workspace(USE_CASE) as workspace:
        delivered = ingest(workspace, Rehearsal()).result
        assert validate(workspace, delivered).reused  # the folder is another one now
        (home / "mlruns").unlink()  # a link: the artifacts are other tests', too
        wanted = f"tags.{STEP_TAG} = 'validate'"
        (run, *_) = workspace.client.search_runs([workspace.experiment_id], wanted)
        assert find_finished(workspace, VALIDATE, run.data.tags[CACHE_KEY_TAG]) is None
        assert not validate(workspace, delivered).reused
        assert validate(workspace, delivered).reused
