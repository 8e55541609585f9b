"""A store with a champion that needed no training, and a folder of tables for its answers."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from tests.conftest import made_use_case
from tests.support import monitored as made
from tracking.store import connect


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which a champion is registered; each test works on a copy."""
    folder = tmp_path_factory.mktemp("store")
    made.register(folder, made_use_case(folder))
    return folder


@pytest.fixture
def client(home: Path, store: Path) -> MlflowClient:
    shutil.copy(store / "mlflow.db", home / "mlflow.db")
    return connect(read_settings())


@pytest.fixture
def use_case(home: Path) -> UseCase:
    policy = made_use_case(home).monitoring.model_copy(update={"every": "day"})
    return made_use_case(home, {"monitoring": policy})


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home / "data"), "made")
