"""The loop through a tracking server: what a team and the compose file start with."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from contract.tables import Tables
from pipelines.closure import PROJECT
from tests.system.tracking import tracking_server


@pytest.fixture
def server(home: Path) -> Iterator[str]:
    with tracking_server(f"sqlite:///{home}/mlflow.db", home) as address:
        yield address


def command(server: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command of ours that works by the server, from a folder that is not the server's."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "MLFLOW_TRACKING_URI": server}
    done = subprocess.run(
        [sys.executable, "-m", *words, "--use-case", "penguins", "--root", str(folder / "tables")],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_loop_runs_through_a_tracking_server(home: Path, server: str) -> None:
    folder = home / "jobs"
    folder.mkdir()
    assert "stage Production" in command(server, folder, "pipelines.main").stderr

    version = MlflowClient(server, server).get_model_version("penguins", "1")
    assert version.run_id == version.tags["package_run"]
    assert version.tags["train_run"] not in ("", version.run_id)

    # The service, what it answers, and monitoring of that.
    assert "holdout, 95 %" in command(server, folder, "pipelines.turn").stderr
    assert "version 1" in command(server, folder, "pipelines.history").stderr
    assert "bit-identical" in command(server, folder, "pipelines.reproduce").stderr

    tables = Tables(str(folder / "tables"), "penguins")
    asked = tables.read("predictions", columns=["prediction_id"]).column(0)[0].as_py()
    told = command(server, folder, "pipelines.lineage", "--json", "yes", "--prediction-id", asked)
    assert json.loads(told.stdout)["runs"]["train_run"] == version.tags["train_run"]
