"""Studies are kept beside MLflow's tables, and a search that was broken off goes on."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import optuna
import pyarrow as pa
import pytest
from optuna.trial import FrozenTrial
from sqlalchemy import create_engine, text

from contract.errors import Refused
from contract.settings import Settings, read_settings
from pipelines.model.search.studies import FILE, SCHEMA, open_studies, place_of
from pipelines.model.search.tune import tune
from tests.conftest import made_rows
from tests.support.searching import N_ROWS, search, searching
from tests.support.stores import new_database
from tracking.store import connect


@pytest.fixture
def settings(stored: Path) -> Iterator[Settings]:
    """Those of a sqlite store, in which a run is active."""
    found = read_settings()
    connect(found)
    mlflow.set_experiment("search")
    with mlflow.start_run():
        yield found


def ignored(study: optuna.Study, trial: FrozenTrial) -> None:
    """Nobody sweeps here."""


def test_a_search_that_was_broken_off_goes_on_and_ends_once(home: Path, settings: Settings) -> None:
    client, use_case = connect(settings), searching(home)
    search(client, use_case, 2)
    found = search(client, use_case, 4)
    assert search(client, use_case, 4) == found  # nothing is left to try
    assert len(client.search_runs(["1"], "tags.step = 'trial'")) == 4


def test_one_process_finds_by_its_seed_what_it_finds_without_a_database(
    home: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "pipelines.model.search.tune.PARALLEL_TRIALS", 1
    )  # two take turns by chance
    client, rows = connect(settings), pa.Table.from_pandas(made_rows(N_ROWS))
    assert search(client, searching(home), 5) == tune(client, rows, searching(home), 5)


def test_trials_of_no_value_are_counted_and_refused(home: Path, settings: Settings) -> None:
    use_case = searching(home)
    estimator = use_case.estimator.model_copy(update={"parameters": {"tol": float("nan")}})
    with pytest.raises(Refused, match="none of 2 trials gave a value"):
        search(connect(settings), use_case.model_copy(update={"estimator": estimator}), 2)


def test_studies_stand_beside_mlflow_s_tables_and_leave_them_alone(
    stored: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = new_database(postgresql, "studies").replace("postgresql:", "postgresql+psycopg:")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    settings = read_settings()
    with open_studies(settings, ignored) as storage:  # before MLflow has any table
        connect(settings)
        before = versions(database, "public")
        optuna.create_study(study_name="one", storage=storage)
    with open_studies(settings, ignored) as storage:
        assert [s.study_name for s in optuna.get_all_study_summaries(storage)] == ["one"]
    assert versions(database, SCHEMA) != versions(database, "public") == before
    connect(settings).search_experiments()


def versions(database: str, schema: str) -> list[str]:
    engine = create_engine(database)
    try:
        with engine.connect() as connection:
            query = text(f"SELECT version_num FROM {schema}.alembic_version")
            return [row[0] for row in connection.execute(query)]
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("address", "alone"),
    [
        ("postgresql://me@db/mlflow", ""),
        ("sqlite:///mlflow.db", ""),
        ("http://127.0.0.1:5000", "a tracking server shares no database"),
        ("mysql://me@db/mlflow", "mysql has none"),
    ],
)
def test_who_can_not_join_is_told(home: Path, address: str, alone: str) -> None:
    settings = read_settings().model_copy(update={"tracking_uri": address})
    place = place_of(settings)
    assert (alone in place.alone) if alone else not place.alone
    assert place.words.endswith(FILE) == (not place.schema)


def test_studies_of_another_optuna_are_named(stored: Path) -> None:
    settings = read_settings()
    with open_studies(settings, ignored) as storage, storage.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v9.0'"))
    again = open_studies(settings, ignored)
    with pytest.raises(Refused, match="another release of Optuna made"), again:
        pass
