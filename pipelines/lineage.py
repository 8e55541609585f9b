"""Lineage: from one answer back to everything that made it.

The version that answered, the move that had made it live, the runs, the data with its expectations,
the commit; and the feedback on it since.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from contract.errors import BadInput
from contract.hints import typed
from contract.settings import read_settings
from contract.store.labels import revisions_sql, shared_keys
from contract.store.ledger import LedgerEntry, champion_at, read_entries
from contract.use_case.loader import load_use_case
from monitoring.windows.window import literal
from pipelines.registry.versions import Version
from pipelines.runtime import cli
from pipelines.runtime.console import summary
from pipelines.runtime.workspace import Workspace, connected
from tracking.store import search_tagged
from tracking.tags import (
    DATA_HASH_TAG,
    ESTIMATOR_TAG,
    EVALUATE_RUN_TAG,
    EXPECTATIONS_TAG,
    GATE_RUN_TAG,
    GIT_COMMIT_TAG,
    GIT_DIRTY_TAG,
    LOCK_HASH_TAG,
    PACKAGE_RUN_TAG,
    PACKAGE_TAG,
    REPRODUCIBLE_REASON_TAG,
    REPRODUCIBLE_TAG,
    RETRAINED,
    STEP_TAG,
    TRAIN_RUN_TAG,
    table_hash_tag,
    table_version_tag,
)

PredictionOption = Annotated[str, typer.Option(help="Id of an answer: <request id>-<row>.")]
RUNS = (TRAIN_RUN_TAG, EVALUATE_RUN_TAG, PACKAGE_RUN_TAG, GATE_RUN_TAG)
DATA = ("training", "holdout", "raw", "labelled")
GONE = "not registered any more"


@dataclass(frozen=True)
class Lineage:
    """All that is known of one answer; values are plain."""

    prediction: dict[str, Any]  # the row of the table
    version: dict[str, Any]  # model, version, stage now, digest of its package, estimator
    ledger: dict[str, Any] | None  # the move since which this version was live; None: no such
    champion_then: str  # by the ledger, "" for none
    runs: dict[str, str]
    data: dict[str, str]  # table: version and content hash
    retrained: dict[str, str]  # why the version was made, where a retraining made it
    expectations: str  # passed of all, at registration
    validation_run: str
    commit: dict[str, str]
    labels: list[dict[str, Any]]  # every revision, oldest first
    notes: list[str]  # what a reader must know


def lineage(workspace: Workspace, prediction_id: str) -> Lineage:
    """Follow an answer back; BadInput where the table does not hold it."""
    row = _prediction(workspace, prediction_id)
    entries = read_entries(workspace.tables)
    live = live_since(entries, row["version"], row["logged_time"])
    champion = champion_at(entries, row["logged_time"])
    try:
        version = Version.read(workspace, row["version"])
    except BadInput:
        version = Version(row["version"], GONE, "", "")
    tags = version.tags
    return Lineage(
        prediction=row,
        version={
            "model": row["model"],
            "version": version.version,
            "stage": version.stage,
            "package_digest": tags.get(PACKAGE_TAG, ""),
            "estimator": tags.get(ESTIMATOR_TAG, ""),
        },
        ledger=live.row() if live else None,
        champion_then=champion,
        runs={name: tags[name] for name in RUNS if tags.get(name)},
        data={
            name: f"{name}@{at} {tags.get(table_hash_tag(name), '')}".strip()
            for name in DATA
            if (at := tags.get(table_version_tag(name)))
        },
        retrained={name: tags[name] for name in sorted(tags) if name.startswith(RETRAINED)},
        expectations=tags.get(EXPECTATIONS_TAG, ""),
        validation_run=_validation_run(workspace, tags.get(table_hash_tag("raw"), "")),
        commit={n: tags[n] for n in (GIT_COMMIT_TAG, GIT_DIRTY_TAG, LOCK_HASH_TAG) if tags.get(n)},
        labels=_labels(workspace, prediction_id),
        notes=_notes(version, live, champion),
    )


def live_since(entries: list[LedgerEntry], version: str, moment: datetime) -> LedgerEntry | None:
    """The newest entry up to a time that made the version champion."""
    newest, before = None, ""
    for entry in entries:
        if entry.time > moment:
            break
        now = entry.state.champion
        if now == version != before:
            newest = entry
        before = now
    return newest


def _prediction(workspace: Workspace, prediction_id: str) -> dict[str, Any]:
    where = f"prediction_id = {literal(prediction_id)}"
    rows: list[dict[str, Any]] = []
    if workspace.tables.exists("predictions"):
        rows = workspace.tables.read("predictions", where=where).to_pylist()
    if not rows:
        raise BadInput(
            f"No prediction {prediction_id!r} of {workspace.use_case.name!r} is in the table. An "
            "id is <request id>-<row>; a new one may still be on its way from a spool, an old one "
            "was taken out, by its retention or by forget."
        )
    return rows[0]


def _labels(workspace: Workspace, prediction_id: str) -> list[dict[str, Any]]:
    tables = workspace.tables
    if not tables.exists("feedback"):
        return []
    opened = {name: tables.open(name) for name in ("predictions", "feedback")}
    keys = shared_keys(opened, workspace.use_case.keys)
    sql = revisions_sql(keys, f"p.prediction_id = {literal(prediction_id)}")
    revisions: list[dict[str, Any]] = tables.query(f"{sql} ORDER BY revision", **opened).to_pylist()
    return [{n: v for n, v in row.items() if n != "prediction_id"} for row in revisions]


def _validation_run(workspace: Workspace, raw_hash: str) -> str:
    training = workspace.client.get_experiment_by_name(f"{workspace.use_case.name}/training")
    if not raw_hash or training is None:
        return ""
    where, step = [training.experiment_id], f"tags.{STEP_TAG} = 'validate'"
    runs = search_tagged(workspace.client, where, DATA_HASH_TAG, raw_hash, step, max_results=1)
    return str(runs[0].info.run_id) if runs else ""


def _notes(version: Version, live: LedgerEntry | None, champion: str) -> list[str]:
    notes = []
    if version.stage == GONE:
        notes.append(f"version {version.version} is {GONE}: its runs and data can't be named")
    if live is None:
        notes.append("the ledger holds no move that made this version live before then")
    elif champion != version.version:
        notes.append(
            f"the ledger's champion was version {champion or 'none'} by then: a service follows "
            "within its poll interval"
        )
    if version.tags.get(REPRODUCIBLE_TAG) == "no":
        notes.append(
            f"not reproducible: {version.tags.get(REPRODUCIBLE_REASON_TAG, 'no reason given')}"
        )
    return notes


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    prediction_id: PredictionOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Lineage: from one answer to model version, move, runs, data and commit."""
    if not prediction_id:
        raise BadInput("prediction_id: the id of an answer is needed, <request id>-<row>.")
    workspace = connected(load_use_case(use_case), read_settings(root), "monitoring")
    trace = lineage(workspace, prediction_id)
    if cli.flag(as_json):
        print(json.dumps(asdict(trace), indent=2, default=str))
    summary(f"Lineage of {prediction_id}", facts(trace), {"look at the runs": typed("ui")})


def facts(trace: Lineage) -> dict[str, str]:
    """For people, one line for each thing."""
    row, version, move = trace.prediction, trace.version, trace.ledger
    labels = [f"{x['label']} (revision {x['revision']}, {x['label_time']})" for x in trace.labels]
    return {
        "answer": f"{row['prediction']} at {row['logged_time']:%Y-%m-%d %H:%M:%S} UTC",
        "inputs": json.dumps(row["inputs"], default=str),
        "label": "; ".join(labels) or "none yet",
        "version": f"{version['model']} version {version['version']}, now {version['stage']}",
        "live since": f"#{move['number']} {move['move']} at {move['time']} by {move['who']}: "
        f"{move['why']}"
        if move
        else "unknown",
        **{name.replace("_", " "): value for name, value in trace.runs.items()},
        **trace.data,
        **{name.replace("_", " "): value for name, value in trace.retrained.items()},
        "expectations": f"{trace.expectations} passed, run {trace.validation_run or 'unknown'}",
        "commit": f"{trace.commit.get('git_commit', 'unknown')}, changed files: "
        f"{trace.commit.get('git_dirty', 'unknown')}",
        **{f"note {number}": note for number, note in enumerate(trace.notes, 1)},
    }


if __name__ == "__main__":
    cli.run(main)
