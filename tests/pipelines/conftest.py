"""A world after training: answers that were logged, and labels for some of them."""

import shutil
from pathlib import Path

import pytest

from pipelines.feedback import feedback
from pipelines.main import Outcome
from pipelines.sources import read_source
from pipelines.workspace import Workspace
from tests.pipelines.answered import N_ROWS, REQUEST, answer, opened


@pytest.fixture(scope="session")
def world(trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained penguins' store and tables, with answers and labels; read it only."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(trained[0] / "mlflow.db", folder)
    shutil.copytree(trained[0] / "data", folder / "data")
    workspace = opened(folder)
    answer(workspace, folder, REQUEST, range(N_ROWS))
    answer(workspace, folder, REQUEST.replace("11", "12"), range(10), named=False)
    rows = read_source(workspace.use_case).slice(0, N_ROWS // 2).select(["penguin", "species"])
    rows.to_pandas().to_csv(folder / "labels.csv", index=False)
    feedback(workspace, str(folder / "labels.csv"))
    (folder / "more.csv").write_text(
        f"prediction_id,label,label_time\n{REQUEST}-1,Gentoo,2026-01-01\n{REQUEST}-40,Gentoo,\n"
    )
    feedback(workspace, str(folder / "more.csv"))
    return folder


@pytest.fixture
def answered(world: Path, home: Path) -> Workspace:
    """Its own copy of store and tables."""
    shutil.copy(world / "mlflow.db", home)
    shutil.copytree(world / "data", home / "data")
    return opened(home)
