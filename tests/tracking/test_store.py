"""Experiments that another process, or a person, makes or takes away while we look for them."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, PERMISSION_DENIED

from contract.settings import Settings, read_settings
from tests.tracking.test_trouble import no_room
from tracking.store import connect, experiment, holds_files
from tracking.tags import KIND_TAG

NAME = "made/monitoring"


@pytest.fixture
def settings(home: Path, empty_store: Path) -> Settings:
    shutil.copy(empty_store / "mlflow.db", home)
    return read_settings()


def test_an_experiment_is_made_once_with_its_artifacts_beside_the_database(
    settings: Settings, home: Path
) -> None:
    client = connect(settings)
    made = experiment(client, settings, NAME)
    assert experiment(client, settings, NAME) == made
    found = client.get_experiment(made)
    assert found.artifact_location == (home / "mlruns" / "made-monitoring").as_uri()
    assert KIND_TAG in found.tags


class Late(MlflowClient):
    """A client that looks for an experiment just before another process makes it."""

    looked = 0

    def get_experiment_by_name(self, name: str):  # type: ignore[no-untyped-def]
        self.looked += 1
        return super().get_experiment_by_name(name) if self.looked > 1 else None


def test_an_experiment_that_another_has_just_made_is_taken(settings: Settings) -> None:
    made = connect(settings).create_experiment(NAME)
    assert experiment(Late(settings.store_uri), settings, NAME) == made


def test_a_deleted_experiment_is_brought_back_with_its_runs(settings: Settings) -> None:
    client = connect(settings)
    made = experiment(client, settings, NAME)
    run = client.create_run(made).info.run_id
    client.delete_experiment(made)
    assert experiment(client, settings, NAME) == made
    client.log_metric(run, "rows", 1.0)
    assert [found.info.run_id for found in client.search_runs([made])] == [run]


class Slow(MlflowClient):
    """A client that finds an experiment deleted just before another process brings it back."""

    def restore_experiment(self, experiment_id: str) -> None:
        super().restore_experiment(experiment_id)
        super().restore_experiment(experiment_id)


def test_an_experiment_that_another_has_just_brought_back_is_taken(settings: Settings) -> None:
    client = Slow(settings.store_uri)
    made = experiment(client, settings, NAME)
    client.delete_experiment(made)
    assert experiment(client, settings, NAME) == made
    assert client.get_experiment(made).lifecycle_stage == "active"


class Reader(MlflowClient):
    """A client of somebody who may not write, or whose server fails."""

    code = PERMISSION_DENIED

    def set_experiment_tag(self, experiment_id: str, key: str, value: object) -> None:
        raise MlflowException("not now", self.code)


def test_who_may_only_read_leaves_the_introduction_to_others(settings: Settings) -> None:
    made = connect(settings).create_experiment(NAME)
    client = Reader(settings.store_uri)
    assert experiment(client, settings, NAME) == made
    client.code = INTERNAL_ERROR
    with pytest.raises(MlflowException, match="not now"):
        experiment(client, settings, NAME)


def test_an_experiment_that_can_t_be_made_or_brought_back_is_no_experiment(
    settings: Settings,
) -> None:
    client = connect(settings)
    with no_room(), pytest.raises(MlflowException, match="disk I/O error"):
        experiment(client, settings, NAME)
    made = experiment(client, settings, NAME)
    client.delete_experiment(made)
    with no_room(), pytest.raises(MlflowException, match="disk I/O error"):
        experiment(client, settings, NAME)
    assert experiment(client, settings, NAME) == made


def test_what_lies_at_an_address_is_known_while_the_store_answers(
    settings: Settings, home: Path
) -> None:
    client = connect(settings)
    run = client.create_run("0").info.run_id
    assert not holds_files(f"runs:/{run}/model")
    client.log_text(run, "a", "model/a.txt")
    assert holds_files(f"runs:/{run}/model")
    assert not holds_files(f"runs:/{'0' * 32}/model")
    (home / "mlflow.db").write_bytes(b"no database any more" * 1000)
    with pytest.raises(MlflowException):
        holds_files(f"runs:/{run}/model")
