"""Run one step: as a named MLflow run with its result, or by reusing a finished run of equal key.

The key of a step covers the content of its inputs, the sections of the use case it reads, the code
it imports, its parameters, the interpreter and the lock. Results are small JSON documents on the
run; tables and artifacts they name are checked before a run is reused.
"""

import os
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import mlflow
from mlflow.entities import Run
from pydantic import BaseModel, ConfigDict
from rich.markup import escape

from contract.addresses import SQLITE
from contract.errors import BadInput
from contract.hints import typed
from contract.markdown import plain, run_link
from contract.settings import Settings
from contract.store.rows.fingerprint import value_hash
from contract.store.tables import TableVersion
from pipelines.runtime.code_hash import PROJECT, code_hash
from pipelines.runtime.console import console
from pipelines.runtime.process_identity import process_identity
from pipelines.runtime.workspace import Workspace
from tracking.store import holds_files
from tracking.tags import (
    ACTOR_NOTE_TAG,
    ACTOR_TAG,
    CACHE_KEY_TAG,
    NOTE_TAG,
    PROCESS_TAG,
    REUSED_TAG,
    RUN_NAME_TAG,
    STEP_TAG,
    USE_CASE_TAG,
)
from tracking.trace import traced
from tracking.who import UNPROVEN

RESULT_FILE = "result.json"


class Result(BaseModel, ABC):
    """What a step hands on: plain values, logged as JSON on its run."""

    # An undefined metric is NaN; without this it would be null and the result unreadable.
    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    @abstractmethod
    def line(self) -> str:
        """One line for a person."""

    def tables(self) -> tuple[TableVersion, ...]:
        """Table versions that must still be there for the result to be of use."""
        return ()

    def artifacts(self) -> tuple[str, ...]:
        """Addresses of folders in MLflow that must still hold something, too."""
        return ()


R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Step(Generic[R]):
    """One step of the life of a model: the module's name is the entry point is the run's name."""

    name: str
    result: type[R]
    sections: tuple[str, ...] = ()  # of the use case, part of the key
    cached: bool = True  # whether one of its runs may ever stand for another


@dataclass(frozen=True)
class Done(Generic[R]):
    """A finished step. `run_id` did the work, now or in an earlier pipeline."""

    run_id: str
    result: R
    reused: bool
    seconds: float


def execute(
    workspace: Workspace,
    step: Step[R],
    work: Callable[[], R],
    inputs: Mapping[str, str | int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    reuse: bool = True,
) -> Done[R]:
    """Do the step's work inside its run, or reuse the finished run with the same key.

    `inputs` are content hashes and versions, `parameters` what the caller chose; both are in the
    key, and parameters are logged. The active run inside `work` is the step's. Without `reuse` the
    work is done, whatever finished; a later run may reuse what it came to.
    """
    started = time.monotonic()
    key = step_key(workspace, step, inputs or {}, parameters or {}) if step.cached else ""
    reused = find_finished(workspace, step, key) if key and reuse else None
    with step_run(workspace, step.name) as run:
        if key:  # else nobody looks for it, and the code alone takes a tenth of a second to hash
            mlflow.set_tag(CACHE_KEY_TAG, key)
        if reused is not None:
            mlflow.set_tag(REUSED_TAG, reused.info.run_id)
            _copy_figures(reused)
            result = load_result(workspace, step, reused.info.run_id)
            done = Done(reused.info.run_id, result, True, time.monotonic() - started)
            by = run_link("an earlier run", reused.info.run_id, reused.info.experiment_id)
            mlflow.set_tag(NOTE_TAG, f"{_told(step, result)} Reused: {by} did this.")
        else:
            new = {k: v for k, v in (parameters or {}).items() if k not in run.data.params}
            mlflow.log_params(new)
            result = work()
            mlflow.log_text(result.model_dump_json(indent=2), RESULT_FILE)
            if NOTE_TAG not in workspace.client.get_run(run.info.run_id).data.tags:
                mlflow.set_tag(NOTE_TAG, _told(step, result))
            done = Done(run.info.run_id, result, False, time.monotonic() - started)
    _say(step.name, done)
    return done


def _told(step: Step[Any], result: Result) -> str:
    """What the step came to, as the sentence that a person finds on its run."""
    return f"{step.name.capitalize()}: {plain(result.line())}."


def step_key(
    workspace: Workspace, step: Step[Any], inputs: Mapping[str, Any], parameters: Mapping[str, Any]
) -> str:
    """The key under which a finished run of this step may be reused."""
    return value_hash(
        {
            "step": step.name,
            "use_case": workspace.use_case.sections(*step.sections),
            "root": _root(workspace.settings),
            "inputs": dict(inputs),
            "parameters": dict(parameters),
            "code": code_hash(f"pipelines.{step.name}"),
            "lock": lock_hash(),
            "python": platform.python_version(),
        }
    )


def _root(settings: Settings) -> str:
    """The root of tables as the store's own folder sees it: both may move together."""
    if settings.store_uri.startswith(SQLITE):
        return settings.table_root.removeprefix(f"{settings.home}/")
    return settings.table_root


def lock_hash() -> str:
    """Hash of the lock file: which libraries a run was made with."""
    return value_hash((PROJECT / "requirements.lock").read_text(encoding="utf-8"))


def find_finished(workspace: Workspace, step: Step[Any], key: str) -> Run | None:
    """Newest finished run that did this step with this key and whose outputs are all there."""
    runs = workspace.client.search_runs(
        [workspace.experiment_id],
        f"tags.{STEP_TAG} = '{step.name}' and tags.`{CACHE_KEY_TAG}` = '{key}' "
        "and attributes.status = 'FINISHED'",
    )
    for run in runs:
        if REUSED_TAG not in run.data.tags and find_result(workspace, step, run.info.run_id):
            return run
    return None


def latest_run(workspace: Workspace, step: Step[Any], run_id: str = "") -> str:
    """The run a step builds on: the one named, else the newest finished one of that step."""
    if run_id:
        return run_id
    runs = workspace.client.search_runs(
        [workspace.experiment_id],
        f"tags.{STEP_TAG} = '{step.name}' and attributes.status = 'FINISHED'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    if not runs:
        raise BadInput(
            f"No finished run of step {step.name!r} for {workspace.use_case.name!r}; "
            f"run it first: {typed(step.name, workspace.use_case.name)}"
        )
    return str(runs[0].data.tags.get(REUSED_TAG, runs[0].info.run_id))


def load_result(workspace: Workspace, step: Step[R], run_id: str) -> R:
    """The result that a run of this step logged."""
    try:
        uri = f"runs:/{run_id}/{RESULT_FILE}"
        return step.result.model_validate_json(mlflow.artifacts.load_text(uri))
    except (mlflow.MlflowException, OSError, ValueError) as error:
        raise BadInput(
            f"Run {run_id!r} holds no result of step {step.name!r} that can be read ({error}); "
            f"run the step again: {typed(step.name, workspace.use_case.name)}"
        ) from error


def find_result(workspace: Workspace, step: Step[R], run_id: str) -> R | None:
    """The same; None where it can't be read, or what it names is not there any more."""
    try:
        result = load_result(workspace, step, run_id)
        whole = all(workspace.tables.intact(version) for version in result.tables())
        return result if whole and all(map(holds_files, result.artifacts())) else None
    except BadInput:
        return None


@contextmanager
def step_run(workspace: Workspace, name: str) -> Iterator[Run]:
    """The MLflow run of a step: the one `mlflow run` made, a child of an active one, or new."""
    tags = {
        STEP_TAG: name,
        USE_CASE_TAG: workspace.use_case.name,
        PROCESS_TAG: process_identity(),
        ACTOR_TAG: workspace.actor.user or UNPROVEN,
        ACTOR_NOTE_TAG: workspace.actor.claim,
    }
    parent = mlflow.active_run()
    launched = None if parent else _launched_run(workspace, name)
    with mlflow.start_run(
        run_id=launched,
        experiment_id=workspace.experiment_id,
        run_name=None if launched else name,
        nested=parent is not None,
    ) as run:
        mlflow.set_tags(tags)
        if launched:
            mlflow.set_tag(RUN_NAME_TAG, name)
        with traced(workspace.client, run.info.run_id):
            yield run


def _launched_run(workspace: Workspace, name: str) -> str | None:
    """The run `mlflow run` made for this process, if it stands in the right experiment.

    MLflow can't move a run: one in a foreign experiment gets a note that says where to look.
    """
    run_id = os.environ.pop("MLFLOW_RUN_ID", None)
    if run_id is None:
        return None
    run = workspace.client.get_run(run_id)
    if run.info.experiment_id == workspace.experiment_id:
        return run_id
    where = workspace.client.get_experiment(workspace.experiment_id).name
    note = f"Started `{name}`; its run stands in the experiment **{where}**."
    workspace.client.set_tag(run_id, NOTE_TAG, note)
    workspace.client.set_tag(run_id, STEP_TAG, f"launch {name}")
    return None


def _copy_figures(source: Run) -> None:
    """Metrics of the run that did the work, so that a reused step compares like any other."""
    mlflow.log_metrics(source.data.metrics)


def _say(name: str, done: Done[Any]) -> None:
    mark, how = ("[cyan]↺[/cyan]", "reused") if done.reused else ("[green]✓[/green]", "")
    took = how or f"{done.seconds:.1f} s"
    console().print(f"{mark} [bold]{name:<9}[/bold] {took:>7}  {escape(done.result.line())}")
