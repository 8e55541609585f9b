"""Each entry of the ledger as a run in the experiment `<use case>/releases`."""

import json

from mlflow import MlflowClient
from mlflow.entities import RunTag

from contract.markdown import plain, run_link, table
from contract.names import experiment as experiment_name
from contract.store.ledger import LedgerEntry
from pipelines.registry.description import moment, sentence
from pipelines.runtime.process_identity import process_identity
from pipelines.runtime.workspace import Workspace
from tracking.store import experiment, search_tagged
from tracking.tags import (
    CHAMPION_TAG,
    DATA_VERSION_TAG,
    GATE_RUN_TAG,
    LEDGER_HASH_TAG,
    NOTE_TAG,
    PROCESS_TAG,
    RELEASE_CHECK_TAG,
    RUN_NAME_TAG,
    STAGE_TAG,
    STEP_TAG,
    USE_CASE_TAG,
    VERSION_TAG,
    WHO_TAG,
    WHY_TAG,
)

ENTRY_FILE = "ledger_entry.json"


def record_run(workspace: Workspace, entry: LedgerEntry, own_run: str = "") -> None:
    """Write the entry's run unless it is there: on `own_run` (still open), or on one of its own."""
    client = workspace.client
    name = experiment_name(workspace.use_case.name, "releases")
    where = experiment(client, workspace.settings, name)
    training = client.get_experiment_by_name(experiment_name(workspace.use_case.name, "training"))
    tags = _tags(entry, training.experiment_id if training else "")
    finished = "attributes.status = 'FINISHED'"
    if search_tagged(client, [where], LEDGER_HASH_TAG, entry.hash, finished, max_results=1):
        return
    if own_run and client.get_run(own_run).info.experiment_id == where:
        client.log_batch(own_run, tags=[RunTag(key, text) for key, text in tags.items()])
        _log_entry(client, own_run, entry)
        return
    begun = {PROCESS_TAG: process_identity(), USE_CASE_TAG: workspace.use_case.name}
    run = client.create_run(where, tags=begun | tags, run_name=_title(entry))
    _log_entry(client, run.info.run_id, entry)
    client.set_terminated(run.info.run_id)


def _log_entry(client: MlflowClient, run_id: str, entry: LedgerEntry) -> None:
    client.log_text(run_id, json.dumps(entry.row(), indent=2, default=str), ENTRY_FILE)


def _tags(entry: LedgerEntry, training: str) -> dict[str, str]:
    tags = {
        STEP_TAG: entry.move,
        VERSION_TAG: entry.version,
        STAGE_TAG: f"{entry.from_stage} → {entry.to_stage}",
        CHAMPION_TAG: entry.state.champion or "none",
        WHO_TAG: entry.by,
        WHY_TAG: entry.why,
        GATE_RUN_TAG: entry.gate_run,
        DATA_VERSION_TAG: entry.data_version,
        RELEASE_CHECK_TAG: entry.release_check,
        RUN_NAME_TAG: _title(entry),
        NOTE_TAG: _note(entry, training),
        LEDGER_HASH_TAG: entry.hash,
    }
    return {name: text for name, text in tags.items() if text}


def _title(entry: LedgerEntry) -> str:
    return f"#{entry.number} {entry.move} version {entry.version}"


def _note(entry: LedgerEntry, training: str = "") -> str:
    """What a person reads on the run; `training` is the experiment in which gates stand."""
    rows = {
        "when": moment(entry.time),
        "who": entry.by,
        "why": entry.why,
        "effects": "; ".join(entry.effects),
        "gate run": entry.gate_run,
        "data version": entry.data_version,
        "release check": entry.release_check,
        "champion since": entry.state.champion or "none",
    }
    told = [(name, plain(value)) for name, value in rows.items() if value]
    if entry.gate_run:
        gate = run_link(entry.gate_run, entry.gate_run, training)
        told = [(name, gate if name == "gate run" else value) for name, value in told]
    return f"{plain(sentence(entry))}\n\n{table(('what', 'which'), told)}"
