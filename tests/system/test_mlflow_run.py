"""The project as MLflow's users start it, from another folder, by real `mlflow run`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipelines.replaying.service_process import free_port
from pipelines.runtime.code_hash import PROJECT
from tests.support.repository import committed_copy
from tests.support.rounds import FULL


def mlflow_run(
    folder: Path, *arguments: str, project: str = str(PROJECT)
) -> subprocess.CompletedProcess[str]:
    binaries = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(binaries / "mlflow"), "run", project, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not FULL, reason="make faults; from a git address is another folder, too")
def test_steps_run_from_another_folder_and_leave_everything_there(home: Path) -> None:
    options = ("-P", "use_case=penguins", "--env-manager", "local")
    for step in ("ingest", "validate", "split", "train"):
        done = mlflow_run(home, "-e", step, *options, "--experiment-name", "penguins/training")
        assert done.returncode == 0, done.stderr
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    found = client.get_experiment_by_name("penguins/training")
    assert found is not None
    runs = client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"])
    assert [run.info.run_name for run in runs] == ["ingest", "validate", "split", "train"]
    assert (home / "data" / "penguins" / "training").is_dir()


@pytest.fixture
def git_address(home: Path) -> Iterator[str]:
    """The code at hand as a repository that a real git server on this host gives out."""
    repository = committed_copy(home / "served" / "fourcycle")
    port = free_port()
    server = subprocess.Popen(
        [
            *("git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}"),
            *(f"--base-path={repository.parent}", str(repository)),
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"git://127.0.0.1:{port}/fourcycle"
    finally:
        server.terminate()
        server.wait()


def test_a_step_runs_from_a_git_address(home: Path, git_address: str) -> None:
    done = mlflow_run(
        home,
        *("-v", "main", "-e", "ingest", "-P", "use_case=penguins", "-P", f"root={home}/tables"),
        *("--env-manager", "local", "--experiment-name", "penguins/training"),
        project=git_address,
    )
    assert done.returncode == 0, done.stderr
    assert "344 new" in done.stderr
    assert (home / "tables" / "penguins" / "raw").is_dir()


def test_a_use_case_outside_the_repository_runs_in_its_own_environment(home: Path) -> None:
    """The whole pipeline once, in an environment that MLflow builds from the lock."""
    text = (PROJECT / "use_cases" / "penguins.yaml").read_text(encoding="utf-8")
    (home / "birds.yaml").write_text(text.replace("name: penguins", "name: birds", 1))
    done = mlflow_run(home, "-P", f"use_case={home}/birds.yaml", "--env-manager", "uv")
    assert done.returncode == 0, done.stderr
    assert "stage Production" in done.stderr
    store = f"sqlite:///{home}/mlflow.db"
    client = MlflowClient(store, store)
    assert [v.current_stage for v in client.search_model_versions("name = 'birds'")] == [
        "Production"
    ]
    launched = client.search_runs(["0"])
    assert "birds/training" in launched[0].data.tags["mlflow.note.content"]


@pytest.mark.parametrize("entry_point", ["absent"])
def test_a_wrong_entry_point_fails(home: Path, entry_point: str) -> None:
    assert mlflow_run(home, "-e", entry_point, "--env-manager", "local").returncode != 0
