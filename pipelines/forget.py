"""Forget: take every row about one subject out of the tables, and the files that held them.

Registered versions that learned from such a row can't be trained again as they were; they are
marked, and keep a training and a holdout table without it. What no table holds is listed.
"""

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

import mlflow
import typer

from contract.names import ROW_HASH, TableName
from contract.settings import Settings
from contract.store import upkeep
from contract.store.locks import unmerged
from contract.store.rows.fingerprint import content_hash
from contract.store.tables import CONTENT_HASH, Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.data.retention import delete
from pipelines.data.subject import LOGGED, PLAIN, Subject, by_ids, read_subject
from pipelines.maintain import known_versions, pinned_versions
from pipelines.registry.versions import Version, read_snapshot, tag
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, open_workspace
from serving.log.record import FEEDBACK_FOLDER
from serving.log.spool import closed_segments, open_segments
from tracking.tags import (
    REPRODUCIBLE_REASON_TAG,
    REPRODUCIBLE_TAG,
    table_tags,
    table_version_tag,
)

FROZEN: tuple[TableName, ...] = ("training", "holdout")

KeyOption = Annotated[str, typer.Option(help="The subject: value of the key, or column=value,...")]


class Forgotten(Result):
    """What was done; it does not say about whom."""

    rows: dict[str, int]  # taken out of the newest version of each table
    versions_marked: tuple[str, ...]  # of the model: not reproducible any more
    files_deleted: int
    unreachable: tuple[str, ...]

    def line(self) -> str:
        return (
            f"{count(sum(self.rows.values()))} rows of {len(self.rows)} tables forgotten, "
            f"{count(self.files_deleted)} old files deleted; versions marked: "
            f"{', '.join(self.versions_marked) or 'none'}"
        )


STEP = Step("forget", Forgotten, cached=False)


def forget(workspace: Workspace, key: str) -> Done[Forgotten]:
    """Forget a subject. The run does not hold its key."""
    pseudonymiser = Pseudonymiser.of(
        workspace.use_case, workspace.settings.log_secret.get_secret_value()
    )
    subject = read_subject(key, workspace.use_case, pseudonymiser)
    return execute(workspace, STEP, lambda: _forget(workspace, subject))


def _forget(workspace: Workspace, subject: Subject) -> Forgotten:
    tables, waiting = workspace.tables, _waiting(workspace.settings, workspace.use_case.name)
    with working("rewriting tables"):
        marked = [version for name in FROZEN for version in _refreeze(workspace, subject, name)]
        with unmerged(workspace.settings, workspace.use_case.name):
            rows = {**_plain_rows(tables, subject), **_logged_rows(tables, subject)}
            deleted = _drop_files(workspace, subject)
    marked = sorted(set(marked), key=int)
    done = Forgotten(
        rows={name: n_rows for name, n_rows in rows.items() if n_rows},
        versions_marked=tuple(marked),
        files_deleted=deleted,
        unreachable=tuple(_unreachable(workspace, subject, marked, waiting)),
    )
    mlflow.log_metrics({"rows": sum(rows.values()), "files_deleted": deleted})
    return done


def _refreeze(workspace: Workspace, subject: Subject, name: TableName) -> Iterator[str]:
    """Give each registered version a table without the subject in place of the one it names.

    The gate counts a holdout's rows in these tables, so they must stay readable. Yields the
    versions whose table held the subject; they are marked before it is replaced.
    """
    snapshot, tables, where = read_snapshot(workspace), workspace.tables, subject.where(name)
    if snapshot is None or not tables.exists(name):
        return
    newest = tables.version(name)
    pins: dict[int, list[Version]] = {}
    for version in snapshot.versions.values():
        if table_version_tag(name) in version.tags:
            pins.setdefault(int(version.tags[table_version_tag(name)]), []).append(version)
    for pinned in known_versions(tables, name, pins):
        if not _holds(tables, name, pinned, where):
            continue
        for version in pins[pinned]:
            reason = f"a subject's rows were taken out of {name}@{pinned}"
            tag(workspace, version, **{REPRODUCIBLE_TAG: "no", REPRODUCIBLE_REASON_TAG: reason})
        rows = tables.read(name, pinned, where=f"({where}) IS NOT TRUE")
        total = content_hash(rows.column(ROW_HASH).to_numpy())
        made = tables.overwrite(name, rows, **{CONTENT_HASH: total})
        for version in pins[pinned]:
            tag(workspace, version, **table_tags(name, made, total))
            yield version.version
    if tables.version(name) != newest:  # what was newest is newest again
        tables.restore(name, newest)


def _holds(tables: Tables, name: TableName, version: int, where: str) -> bool:
    rows = tables.read(name, version, columns=[ROW_HASH], where=where)
    return bool(rows.num_rows)


def _plain_rows(tables: Tables, subject: Subject) -> dict[str, int]:
    """Rows taken out of the newest version of tables that hold keys as they are.

    By hash: the condition of a deletion stands in the table's log, which is never cut.
    """
    rows = {}
    for name in PLAIN:
        if tables.exists(name):
            where = subject.where(name)
            gone, kept = (
                tables.read(name, columns=[ROW_HASH], where=condition).column(ROW_HASH)
                for condition in (where, f"({where}) IS NOT TRUE")
            )
            if len(gone):
                named = ", ".join(map(str, set(gone.to_pylist())))
                total = content_hash(kept.to_numpy())
                by_hash = f"{ROW_HASH} IN ({named})"
                rows[str(name)] = delete(tables, name, by_hash, **{CONTENT_HASH: total})
    return rows


def _logged_rows(tables: Tables, subject: Subject) -> dict[str, int]:
    """Rows taken out of the log: predictions of the subject and feedback on it or on them."""
    ids = subject.prediction_ids(tables)
    rows: dict[str, int] = {}
    feedback: tuple[TableName, ...] = ("feedback", "feedback_quarantine")
    for name in feedback:  # before the predictions: a run that was cut off finds the ids again
        wheres = by_ids(ids) + ([] if subject.unlogged else subject.spellings(name))
        if tables.exists(name):
            rows[str(name)] = sum(delete(tables, name, where) for where in wheres)
    # By id: what was shipped meanwhile stays, with the feedback on it, until the next time.
    rows["predictions"] = sum(delete(tables, "predictions", where) for where in by_ids(ids))
    return rows


def _drop_files(workspace: Workspace, subject: Subject) -> int:
    """Delete every file that is not of a newest version, or of a pinned one without the subject."""
    tables, pins, deleted = workspace.tables, pinned_versions(workspace), 0
    for name in (*PLAIN, *LOGGED):
        if tables.exists(name):
            deleted += _drop(tables, name, subject, pins.get(name, set()))
    return deleted


def _drop(tables: Tables, name: TableName, subject: Subject, pins: set[int]) -> int:
    where = subject.where(name)
    kept = [
        version
        for version in known_versions(tables, name, pins)
        if upkeep.whole(tables.open(name, version)) and not _holds(tables, name, version, where)
    ]
    return upkeep.vacuum(tables.open(name), timedelta(0), kept)


def _unreachable(
    workspace: Workspace, subject: Subject, marked: list[str], waiting: str
) -> Iterator[str]:
    """Where something of the subject may still be."""
    for version in marked:
        yield (
            f"version {version} of {workspace.model_name}: the model has learned from the rows, "
            "and its package and runs may hold some (reference/, scorer/golden.json, input "
            "examples), in MLflow and in the caches of services"
        )
    if waiting:
        yield waiting
    yield "rows that were answered, labelled or shipped meanwhile; forget again in a minute"
    yield "spools of other hosts, quarantined pieces of spools, backups of tables and of MLflow"
    yield "the source: what it still delivers is ingested again"
    yield "rows that were answered or labelled without the key"
    yield (
        "logs of predictions and feedback: smallest and largest values of columns, and by which "
        "key rows were deleted, for up to 30 days"
    )
    if subject.hashed:
        yield "rows whose key was hashed with another secret"
    if subject.unlogged:
        left_out = ", ".join(subject.unlogged)
        yield f"predictions and feedback, also of earlier: the log leaves out {left_out}"
    if "MLFLOW_RUN_ID" in os.environ:
        yield "the run that `mlflow run` made: it holds the key as a parameter; delete it"


def _waiting(settings: Settings, use_case: str) -> str:
    """What this host's spool holds, to be asked before tables are looked at; "" for nothing."""
    spools = [settings.spool_folder(use_case)]
    if settings.shared_spools:  # of an older release, and of whichever root
        spools.append(settings.shared_spools / use_case)
    folders = [path for spool in spools for path in (spool, spool / FEEDBACK_FOLDER)]
    folders = [path for path in folders if path.is_dir()]
    # Open ones first: a segment that is closed meanwhile counts twice then, not never.
    n_open = sum(len(open_segments(path)) for path in folders)
    n_rows = sum(segment.rows for path in folders for segment in closed_segments(path))
    if not n_open and not n_rows:
        return ""
    return (
        f"{n_rows} rows and {n_open} segments that are being written, which this host's spool held "
        "at the start; forget again when they are shipped"
    )


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    key: KeyOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Forget: take every row about one subject out of the tables."""
    with open_workspace(use_case, root, "monitoring") as workspace:
        done = forget(workspace, key).result
    if cli.flag(as_json):
        print(json.dumps(done.model_dump(), indent=2))
    facts = {name: f"{count(n_rows)} rows" for name, n_rows in done.rows.items()}
    facts["files deleted"] = count(done.files_deleted)
    facts["not reproducible"] = ", ".join(done.versions_marked) or "no version"
    facts |= {f"not reached {n}": what for n, what in enumerate(done.unreachable, 1)}
    summary("Forgotten", facts, {})


if __name__ == "__main__":
    cli.run(main)
