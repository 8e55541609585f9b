"""The loop through a tracking server: what a team and the compose file start with."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.store.tables import Tables
from pipelines.lineage import lineage
from pipelines.registry.move import settle
from pipelines.registry.versions import champion_of
from pipelines.reproduce import reproduce
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import open_workspace
from tests.support.rounds import FULL
from tests.support.tracking import tracking_server


@pytest.fixture
def server(home: Path) -> Iterator[str]:
    with tracking_server(f"sqlite:///{home}/mlflow.db", home) as address:
        yield address


def said(folder: Path, module: str) -> str:
    """What a command of ours says to people."""
    done = subprocess.run(
        [sys.executable, "-m", module, "--use-case", "penguins"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@pytest.mark.skipif(not FULL, reason="a team's loop goes through one, too: make faults")
def test_the_loop_runs_through_a_tracking_server(
    home: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = home / "jobs"  # not the server's
    folder.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("FOURCYCLE_ROOT", str(folder / "tables"))
    assert "stage Production" in said(folder, "pipelines.main")
    # The service, what it answers, and monitoring of that.
    assert "holdout, 95 %" in said(folder, "pipelines.turn")

    rows = Tables(str(folder / "tables"), "penguins").read("predictions")
    with open_workspace("penguins") as workspace:
        version = champion_of(workspace)
        assert version is not None
        assert version.run_id == version.tags["package_run"]
        assert version.train_run == version.tags["train_run"] != version.run_id
        assert [entry.move for entry in settle(workspace)] == ["register", "promote"]
        found = lineage(workspace, rows.column("prediction_id")[0].as_py())
        assert found.runs["train_run"] == version.train_run
        assert reproduce(workspace, version).result.identical
    assert {path.name for path in home.iterdir()} == {"jobs", "artifacts", "mlflow.db"}
