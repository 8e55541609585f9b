"""A step that meets an error nobody foresaw keeps the trace on its own run."""

import os

import mlflow
import pytest
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from contract.errors import Refused
from contract.unforeseen import place_of
from pipelines.runtime.step import step_run
from pipelines.runtime.workspace import Workspace
from tracking.server import RETRIES
from tracking.trace import TRACE_FILE


def runs_with_a_trace(workspace: Workspace) -> list[str]:
    """Names of the runs that hold one."""
    runs = workspace.client.search_runs([workspace.experiment_id])
    assert {run.info.status for run in runs} == {"FAILED"}
    return [
        str(run.info.run_name)
        for run in runs
        if TRACE_FILE in [file.path for file in workspace.client.list_artifacts(run.info.run_id)]
    ]


def test_the_innermost_run_holds_the_trace(workspace: Workspace) -> None:
    with (
        pytest.raises(ValueError, match="secret") as raised,
        step_run(workspace, "main"),
        step_run(workspace, "train") as inner,
    ):
        raise ValueError("secret")
    assert place_of(raised.value) == f"trace.txt of run {inner.info.run_id}"
    assert runs_with_a_trace(workspace) == ["train"]
    kept = mlflow.artifacts.load_text(f"runs:/{inner.info.run_id}/{TRACE_FILE}")
    assert "ValueError: secret" in kept


def test_a_store_that_stayed_away_is_not_waited_for_once_more_at_every_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RETRIES, "5")
    away = mlflow.MlflowException("no connection", TEMPORARILY_UNAVAILABLE)
    with pytest.raises(mlflow.MlflowException), step_run(workspace, "main"):
        raise away
    assert os.environ[RETRIES] == "0"
    assert runs_with_a_trace(workspace) == []


def test_a_sentence_of_ours_needs_no_trace(workspace: Workspace) -> None:
    with pytest.raises(Refused), step_run(workspace, "validate"):
        raise Refused("the answer is no")
    assert runs_with_a_trace(workspace) == []


def test_a_run_that_mlflow_made_in_the_right_experiment_is_that_of_the_step(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = workspace.client.create_run(workspace.experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", launched)
    with step_run(workspace, "ingest") as run:
        assert run.info.run_id == launched
        assert "MLFLOW_RUN_ID" not in os.environ  # the next step has one of its own
    found = workspace.client.get_run(launched)
    assert (found.info.run_name, found.data.tags["step"]) == ("ingest", "ingest")
