"""Where steps work: the use case, its tables and its MLflow experiment, held by one at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import RunStatus, ViewType

from contract import names
from contract.errors import Busy
from contract.settings import Settings, read_settings
from contract.signing import check_keys
from contract.store.locks import lock_folder, locked
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.runtime.process_identity import is_gone
from tracking.store import connect, experiment
from tracking.tags import PROCESS_TAG, of_machine
from tracking.who import Actor, actor_of


@dataclass(frozen=True)
class Workspace:
    """What every step is given."""

    use_case: UseCase
    settings: Settings
    tables: Tables
    client: MlflowClient
    experiment_id: str
    actor: Actor

    @property
    def model_name(self) -> str:
        """The registered model of this use case."""
        return self.use_case.name

    @property
    def code_folder(self) -> Path:
        """Where this installation holds the classes of the user's own."""
        return Path(self.settings.serve_code or self.use_case.source.folder)


@contextmanager
def open_workspace(
    use_case: str | UseCase, root: str = "", cycle: names.Cycle = "training"
) -> Iterator[Workspace]:
    """Take the use case's lock and connect; raises Busy where another process holds it."""
    if isinstance(use_case, str):
        use_case = load_use_case(use_case)
    settings = read_settings(root)
    with _held_alone(use_case.name, settings):
        workspace = connected(use_case, settings, cycle)
        close_orphans(workspace)
        yield workspace


def open_releases(use_case: str, root: str = "") -> Workspace:
    """Connect without the use case's lock: a rollback does not wait for a training to end."""
    workspace = connected(load_use_case(use_case), read_settings(root), "releases")
    close_orphans(workspace)
    return workspace


def connected(use_case: UseCase, settings: Settings, cycle: names.Cycle) -> Workspace:
    """The workspace of one cycle of a use case, without any lock."""
    check_keys(settings.sign_key.get_secret_value(), settings.verify_key)
    client = connect(settings)
    return Workspace(
        use_case=use_case,
        settings=settings,
        tables=Tables(settings.table_root, use_case.name),
        client=client,
        experiment_id=experiment(client, settings, names.experiment(use_case.name, cycle)),
        actor=actor_of(settings),
    )


def close_orphans(workspace: Workspace) -> list[str]:
    """Mark runs as KILLED whose process on this host is gone; their ids."""
    running = workspace.client.search_runs(
        [workspace.experiment_id], "attributes.status = 'RUNNING'", ViewType.ACTIVE_ONLY
    )
    orphans = [r.info.run_id for r in running if is_gone(of_machine(r.data.tags, PROCESS_TAG))]
    for run_id in orphans:
        status = RunStatus.to_string(RunStatus.KILLED)
        workspace.client.set_terminated(run_id, status=status)
    return orphans


@contextmanager
def _held_alone(use_case: str, settings: Settings) -> Iterator[None]:
    file = lock_folder(settings) / f"{use_case}.lock"
    holder = file.with_suffix(".holder")

    def busy() -> Busy:
        process = holder.read_text(encoding="utf-8") if holder.is_file() else "unknown"
        return Busy(
            f"Another pipeline works on {use_case!r} (process {process}); nothing was done here. "
            "Run again when it has ended."
        )

    with locked(file, busy):
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
