"""Retraining, over the made use case: a champion, two days of answers whose labels turned round."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.names import CHAMPION
from contract.settings import read_settings
from contract.tables import Tables
from contract.use_case import Monitoring, Retraining, UseCase
from monitoring.monitor import Monitored, monitor
from monitoring.window import Asked, read_day
from pipelines.main import pipeline
from pipelines.registry import Version
from pipelines.rehearsal import Rehearsal
from pipelines.retrain import retrain
from pipelines.workspace import Workspace, connected, open_workspace
from tests.conftest import deliver, made_rows, made_use_case, settle
from tests.monitoring import made

DAYS = ("2024-02-01", "2024-02-02", "2024-02-03")
DRIFTED = "2024-02-02 to 2024-02-03"
N_ROWS = 400  # answered each day


def declared(folder: Path) -> UseCase:
    monitoring = Monitoring(every="day", min_rows=30, reference_rows=100, min_labels=50)
    retraining = Retraining(min_labels=300)
    return made_use_case(folder, {"monitoring": monitoring, "retraining": retraining})


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[Monitored]]]:
    """A folder in which the champion's performance drifts since its second day; read it only."""
    folder = tmp_path_factory.mktemp("turned")
    use_case = declared(folder)
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        deliver(folder, made_rows())
        with open_workspace(use_case) as opened:
            pipeline(opened, Rehearsal(), tune=0)
        for day in (1, 2):
            answered(opened.tables, use_case, day)
        found = [watch(use_case, day) for day in (1, 2)]
    yield folder, found


def answered(tables: Tables, use_case: UseCase, day: int, turn: bool = True) -> None:
    rows = made.rows(N_ROWS, day, DAYS[day - 1])
    made.answer(tables, use_case, rows)
    made.label(tables, rows.assign(late=~rows["late"]) if turn else rows)


def watch(use_case: UseCase, day: int) -> Monitored:
    asked = Asked(read_day("from", DAYS[day - 1]), read_day("until", DAYS[day]))
    return monitor(use_case, read_settings(), asked)[0]


@pytest.fixture
def workspace(turned: tuple[Path, list[Monitored]], home: Path) -> Workspace:
    """Its own copy of store and tables."""
    folder, _ = turned
    shutil.copy(folder / "mlflow.db", home)
    shutil.copytree(folder / "data", home / "data")
    return connected(declared(folder), read_settings(), "training")


def champion(workspace: Workspace) -> str:
    found = workspace.client.get_model_version_by_alias(workspace.model_name, CHAMPION)
    return str(found.version)


def test_a_verdict_causes_a_candidate_that_says_so(
    workspace: Workspace, turned: tuple[Path, list[Monitored]]
) -> None:
    assert [m.status for m in turned[1]] == ["WATCH", "DRIFT"]
    done = retrain(workspace.use_case)
    assert (done.state, done.cause, done.champion) == ("RETRAIN", turned[1][1].run_id, "1")
    assert champion(workspace) == done.version == "2"
    tags = Version.read(workspace, "2").tags
    assert tags["retrained_because"] == turned[1][1].run_id
    assert (tags["retrained_signals"], tags["retrained_window"]) == ("performance", DRIFTED)
    cause = workspace.client.get_run(done.cause).data.tags
    assert cause["retrained_version"] == "2"
    assert cause["retraining"].startswith("version 2: Version 2 reached Production")
    assert retrain(workspace.use_case).state == "NOT_NEEDED"
