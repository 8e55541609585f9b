"""Each entry of the ledger as a run in the experiment `<use case>/releases`."""

import json

from mlflow.entities import Param, RunTag

from contract.names import experiment as experiment_name
from pipelines.ledger import Entry
from pipelines.noticeboard import moment, sentence
from pipelines.workspace import PROCESS_TAG, STEP_TAG, Workspace, experiment, process_identity

ENTRY_TAG = "ledger_hash"
ENTRY_FILE = "ledger_entry.json"


def record_run(workspace: Workspace, entry: Entry, own_run: str = "") -> None:
    """Write the entry's run unless it is there: on `own_run` (still open), or on one of its own."""
    client = workspace.client
    where = experiment(
        client, workspace.settings, experiment_name(workspace.use_case.name, "releases")
    )
    known = client.search_runs(
        [where],
        f"tags.{ENTRY_TAG} = '{entry.hash}' and attributes.status = 'FINISHED'",
        max_results=1,
    )
    if known or own_run:
        run_id = known[0].info.run_id if known else own_run
        if known or client.get_run(own_run).info.experiment_id == where:
            _write(workspace, run_id, entry)
            return
    begun = {PROCESS_TAG: process_identity()}
    run_id = client.create_run(where, tags=begun, run_name=_title(entry)).info.run_id
    _write(workspace, run_id, entry)
    client.set_terminated(run_id)


def _write(workspace: Workspace, run_id: str, entry: Entry) -> None:
    facts = {
        "move": entry.move,
        "version": entry.version,
        "from": entry.from_stage,
        "to": entry.to_stage,
        "who": entry.who,
        "expected_champion": entry.expected or "none",
    }
    tags = {
        STEP_TAG: entry.move,
        "use_case": workspace.use_case.name,
        "model_version": entry.version,
        "ledger_number": str(entry.number),
        "gate_run": entry.gate_run,
        "data_version": entry.data_version,
        "mlflow.runName": _title(entry),
        "mlflow.note.content": _note(entry),
        ENTRY_TAG: entry.hash,
    }
    client = workspace.client
    text = json.dumps(entry.row(), indent=2, default=str)
    client.log_text(run_id, text, ENTRY_FILE)
    there = client.get_run(run_id).data.params
    client.log_batch(
        run_id,
        params=[Param(name, value) for name, value in facts.items() if name not in there],
        tags=[RunTag(name, value) for name, value in tags.items() if value],
    )


def _title(entry: Entry) -> str:
    return f"#{entry.number} {entry.move} version {entry.version}"


def _note(entry: Entry) -> str:
    rows = {
        "when": moment(entry.time),
        "who": entry.who,
        "why": entry.why,
        "effects": "; ".join(entry.effects),
        "gate run": entry.gate_run,
        "data version": entry.data_version,
        "release check": entry.release_check,
        "champion since": entry.standing.champion or "none",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items() if value]
    return f"{sentence(entry)}\n\n| what | which |\n|---|---|\n" + "\n".join(lines)
