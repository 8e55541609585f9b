"""Maintain: end the retention of old rows, compact tables, delete files that none needs any more.

Safe beside running services and pipelines: writers and readers go on meanwhile. A version of a
table that a registered version names in its tags is kept whole, whatever its age.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, get_args

import typer

from contract.errors import BadInput
from contract.names import TableName
from contract.store import upkeep
from contract.store.locks import unmerged
from contract.store.tables import Tables
from pipelines.data.retention import expire, until_committed
from pipelines.feedback import waiting
from pipelines.runtime import cli
from pipelines.runtime.console import summary, working
from pipelines.runtime.workspace import Workspace, open_workspace
from tracking.tags import table_version_tag

# They grow by small commits. Of the others every version stands for data that a run has named.
GROWING: tuple[TableName, ...] = ("predictions", "feedback", "feedback_quarantine")

UnusedOption = Annotated[
    str, typer.Option(help="Days that replaced files are kept for readers of older versions.")
]


@dataclass(frozen=True)
class Maintained:
    """What was done to one table."""

    table: TableName
    rows_expired: int  # older than the use case says they are kept
    small_files: int  # written into `large_files`
    large_files: int
    files_deleted: int
    versions_kept: tuple[int, ...]  # because a registered version pins them
    versions_lost: tuple[int, ...]  # pinned, and the table's log does not know them any more
    labels_overdue: int = 0  # of feedback: no prediction is known for them after the deadline

    def line(self) -> str:
        """For people."""
        done = [f"{self.files_deleted} unused files deleted"]
        if self.rows_expired:
            done.insert(0, f"{self.rows_expired} rows expired")
        if self.small_files:
            done.insert(0, f"{self.small_files} small files became {self.large_files}")
        if self.versions_kept:
            done.append(f"kept for registered versions: {', '.join(map(str, self.versions_kept))}")
        if self.versions_lost:
            done.append(
                "WARNING: named by registered versions, but not in the table any more: "
                + ", ".join(map(str, self.versions_lost))
            )
        if self.labels_overdue:
            overdue = f"labels overdue: {self.labels_overdue}"
            done.append(f"WARNING: {overdue}; no known prediction has their id or keys")
        return "; ".join(done)


def maintain(workspace: Workspace, unused: timedelta) -> list[Maintained]:
    """Expire rows, compact and vacuum every table of the use case that there is."""
    now = datetime.now(UTC)
    expired = expire(workspace.tables, workspace.use_case, now)
    pins = pinned_versions(workspace)
    names: tuple[TableName, ...] = get_args(TableName)
    tables = workspace.tables
    with unmerged(workspace.settings, workspace.use_case.name):
        done = [
            _maintain(tables, name, unused, pins.get(name, set()), expired.get(name, 0))
            for name in names
            if tables.exists(name)
        ]
    overdue = waiting(workspace, now).overdue
    return [replace(d, labels_overdue=overdue) if d.table == "feedback" else d for d in done]


def pinned_versions(workspace: Workspace) -> dict[TableName, set[int]]:
    """Versions of tables that a registered version names: `training_version` = 4, and so on."""
    pins: dict[TableName, set[int]] = {}
    token = None
    while True:
        page = workspace.client.search_model_versions(
            f"name = '{workspace.model_name}'", page_token=token
        )
        for version in page:
            for name in get_args(TableName):
                if (tag := table_version_tag(name)) in version.tags:
                    pins.setdefault(name, set()).add(int(version.tags[tag]))
        token = page.token
        if not token:
            return pins


def _maintain(
    tables: Tables, name: TableName, unused: timedelta, pins: set[int], expired: int
) -> Maintained:
    compacted = upkeep.Compaction(0, 0)
    if name in GROWING:  # a writer that changes the table's columns meanwhile wins
        compacted = until_committed(name, lambda: upkeep.compact(tables.open(name)))
    upkeep.set_properties(tables.open(name), name)
    kept = known_versions(tables, name, pins)
    deleted = upkeep.vacuum(tables.open(name), unused, kept)
    if name in GROWING and not pins:
        upkeep.forget_log(tables.open(name))
    return Maintained(
        table=name,
        rows_expired=expired,
        small_files=compacted.files_before,
        large_files=compacted.files_after,
        files_deleted=deleted,
        versions_kept=tuple(kept),
        versions_lost=tuple(sorted(pins.difference(kept))),
    )


def known_versions(tables: Tables, name: TableName, versions: Collection[int]) -> list[int]:
    """Those of the versions that the table's log still knows, in order."""
    return [version for version in sorted(versions) if _known(tables, name, version)]


def _known(tables: Tables, name: TableName, version: int) -> bool:
    try:
        tables.open(name, version)
    except BadInput:
        return False
    return True


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    unused_days: UnusedOption = "7",
    as_json: cli.JsonOption = "",
) -> None:
    """Maintain: expire old rows, compact tables and delete unused files, beside services."""
    if not unused_days.isdecimal() or int(unused_days) < 1:
        raise BadInput(f"unused_days: whole days from 1 are needed, found {unused_days!r}.")
    with open_workspace(use_case, root) as workspace, working("compacting, deleting old files"):
        done = maintain(workspace, timedelta(days=int(unused_days)))
    if cli.flag(as_json):
        print(json.dumps([asdict(one) for one in done], indent=2))
    facts: dict[str, str] = {one.table: one.line() for one in done}
    summary("Maintained", facts or {"tables": "there are none yet"}, {})


if __name__ == "__main__":
    cli.run(main)
