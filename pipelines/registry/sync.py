"""Make the registry show what the ledger says: aliases, stages, texts, a run, and the mark."""

from typing import get_args

from mlflow import MlflowException

from contract.errors import Unavailable
from contract.names import Cycle
from contract.names import experiment as experiment_name
from contract.store.ledger import LedgerEntry, read_entries_after, taken_out
from monitoring.report.timeline import timeline_run
from pipelines.registry.description import PENDING, Places, front_page, status
from pipelines.registry.move_runs import record_run
from pipelines.registry.stages import set_stage
from pipelines.registry.transitions import named, plan
from pipelines.registry.versions import RegistrySnapshot, read_snapshot
from pipelines.runtime.workspace import Workspace
from tracking.store import experiment
from tracking.tags import APPROVAL_TAG, LEDGER_TAG, STATUS_TAG
from tracking.who import is_denied

ROUNDS = 8


def reconcile(
    workspace: Workspace,
    entries: list[LedgerEntry],
    snapshot: RegistrySnapshot | None,
    own_run: str = "",
) -> None:
    """Make the registry, which showed `snapshot`, show the newest entry; every part may be
    repeated."""
    client, name, ours = workspace.client, workspace.model_name, entries[-1]
    for _ in range(ROUNDS):
        head = entries[-1]
        record_run(workspace, head, own_run if head == ours else "")
        if snapshot is None:
            return
        planned = plan(head.state, snapshot.observed)
        for alias, version in planned.aliases.items():
            if version:
                client.set_registered_model_alias(name, alias, version)
            else:
                client.delete_registered_model_alias(name, alias)
        for version, stage in planned.stages.items():
            set_stage(client, workspace.settings, name, version, stage)
        write_texts(workspace, entries, snapshot)
        client.set_registered_model_tag(name, LEDGER_TAG, head.mark)
        # Verified by looking again: another host may have gone on from a move that seemed stuck.
        entries = read_entries_after(workspace.tables, entries)
        snapshot = read_snapshot(workspace)
        if snapshot is None or (entries[-1] == head and not plan(head.state, snapshot.observed)):
            return
    raise Unavailable(
        f"The registry does not show {named(head.state.champion)} as champion although the "
        "ledger says so; the next command tries again."
    )


def write_texts(
    workspace: Workspace, entries: list[LedgerEntry], snapshot: RegistrySnapshot
) -> None:
    """Tags `status` of the versions and the description of the registered model."""
    client, name, now = workspace.client, workspace.model_name, entries[-1].state
    tags, out = {v.version: v.tags for v in snapshot.versions.values()}, taken_out(entries)
    for version, own in tags.items():
        if own.get(APPROVAL_TAG) == PENDING and version != now.challenger:
            client.delete_model_version_tag(name, version, APPROVAL_TAG)
        text = status(entries, version, own, out.get(version))
        if text and text != own.get(STATUS_TAG):
            client.set_model_version_tag(name, version, STATUS_TAG, text)
    page = front_page(workspace.use_case, entries, tags, _places(workspace, now.champion))
    if page != snapshot.model.description:
        client.update_registered_model(name, description=page)


def _places(workspace: Workspace, champion: str) -> Places:
    """Where the page leads to; the run that will hold the champion's verdicts is made for it."""
    client, settings, use_case = workspace.client, workspace.settings, workspace.use_case.name
    found: dict[str, str] = {}
    try:
        for cycle in get_args(Cycle):
            found[cycle] = experiment(client, settings, experiment_name(use_case, cycle))
        watched = found["monitoring"]
        timeline = timeline_run(client, watched, use_case, champion) if champion else ""
    except MlflowException as error:
        if not is_denied(error):  # who may move versions need not have rights on all of it
            raise
        timeline = ""
    return Places(found, timeline)
