"""Make the registry show what the ledger says: aliases, stages, texts, a run, and the mark."""

from contract.errors import Unavailable
from pipelines.registry.description import PENDING, front_page, status
from pipelines.registry.ledger import LedgerEntry, read_entries
from pipelines.registry.manual_changes import mark_of
from pipelines.registry.move_runs import record_run
from pipelines.registry.stages import set_stage
from pipelines.registry.transitions import named, plan
from pipelines.registry.versions import RegistrySnapshot, read_shown
from pipelines.runtime.workspace import Workspace
from tracking.tags import APPROVAL_TAG, LEDGER_TAG, STATUS_TAG

ROUNDS = 8


def show(workspace: Workspace, entries: list[LedgerEntry], own_run: str = "") -> None:
    """Make the registry show the newest entry; every part may be repeated."""
    client, name, ours = workspace.client, workspace.model_name, entries[-1]
    for _ in range(ROUNDS):
        head, shown = entries[-1], read_shown(workspace)
        record_run(workspace, head, own_run if head == ours else "")
        if shown is None:
            return
        planned = plan(head.standing, shown.observed)
        for alias, version in planned.aliases.items():
            if version:
                client.set_registered_model_alias(name, alias, version)
            else:
                client.delete_registered_model_alias(name, alias)
        for version, stage in planned.stages.items():
            set_stage(client, workspace.settings, name, version, stage)
        write_texts(workspace, entries, shown)
        client.set_registered_model_tag(name, LEDGER_TAG, mark_of(head))
        # Verified by looking again: another host may have gone on from a move that seemed stuck.
        entries, shown = read_entries(workspace.tables), read_shown(workspace)
        if shown is None or (entries[-1] == head and not plan(head.standing, shown.observed)):
            return
    raise Unavailable(
        f"The registry does not show {named(head.standing.champion)} as champion although the "
        "ledger says so; the next command tries again."
    )


def write_texts(workspace: Workspace, entries: list[LedgerEntry], shown: RegistrySnapshot) -> None:
    """Tags `status` of the versions and the description of the registered model."""
    client, name, now = workspace.client, workspace.model_name, entries[-1].standing
    tags = {v.version: v.tags for v in shown.versions.values()}
    for version, found in tags.items():
        if found.get(APPROVAL_TAG) == PENDING and version != now.challenger:
            client.delete_model_version_tag(name, version, APPROVAL_TAG)
        text = status(entries, version, found)
        if text and text != found.get(STATUS_TAG):
            client.set_model_version_tag(name, version, STATUS_TAG, text)
    page = front_page(workspace.use_case, entries, tags)
    if page != shown.model.description:
        client.update_registered_model(name, description=page)
