"""Backup: database, tables and artifacts of a store in one place, beside its services and jobs.

The database first, in one consistent copy; then tables at pinned versions and artifacts, which hold
all that it names, for both only grow. The manifest, with the digest of every file, is written last:
without it there is no backup.
"""

import json
import os
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from contract.addresses import SQLITE
from contract.errors import BadInput, Unavailable
from contract.package import MANIFEST_FILE
from contract.settings import Settings, read_settings
from contract.store.tables import Tables
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.keeping.database import copied
from pipelines.runtime.keeping.manifest import (
    ARTIFACTS,
    DATABASE,
    MANIFEST,
    TABLES,
    BackupManifest,
    SavedTable,
)
from pipelines.runtime.keeping.places import Place, StoredFile, behind_server
from pipelines.runtime.keeping.registered import (
    RegisteredPackage,
    experiment_locations,
    ledger_mark,
    registered,
)
from pipelines.runtime.keeping.table_copies import files_of, pinned, saved, use_cases

TRIES = 3  # of a table whose files are replaced and removed meanwhile

TargetOption = Annotated[str, typer.Option(help="An empty folder or s3:// address to fill.")]

ArtifactsOption = Annotated[
    str, typer.Option(help="What the tracking server was started with as --artifacts-destination.")
]


@dataclass
class Copies:
    """Files copied so far, by their names in the backup."""

    target: Place
    files: dict[str, StoredFile] = field(default_factory=dict)

    def take(self, name: str, source: Place, original: str, needed: bool = True) -> None:
        """Copy one file; one that is not needed may be gone by now."""
        try:
            self.files[name] = self.target.take(name, source, original)
        except FileNotFoundError:
            if needed:
                raise


def backup(settings: Settings, target: str, artifacts: str = "") -> BackupManifest:
    """Fill an empty place with a backup; BadInput where it holds something.

    `artifacts` is where a tracking server keeps them, if the store was filled through one.
    """
    copies = Copies(_empty(target))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / DATABASE
        with copied(settings, file) as database:
            copies.take(DATABASE, Place.of(name), DATABASE)
            manifest = _after_database(copies, settings, database, artifacts)
    os.sync()  # what the manifest names is on the disk before it
    copies.target.write(MANIFEST, manifest.model_dump_json(indent=1).encode())
    return manifest


def _after_database(
    copies: Copies, settings: Settings, database: Connection, served: str
) -> BackupManifest:
    versions = registered(database)
    tables = {
        f"{use_case}/{name}": table
        for use_case in use_cases(settings.table_root)
        for name, table in _tables(copies, settings, use_case, database).items()
    }
    locations = [*experiment_locations(database), *(v.source for v in versions if v.source)]
    roots = _artifacts(copies, locations, served)
    return BackupManifest(
        made=datetime.now(UTC),
        database="sqlite" if settings.store_uri.startswith(SQLITE) else "postgresql",
        home=str(settings.home),
        artifacts=roots,
        tables=tables,
        versions={v.name: v.digest for v in versions},
        damaged=tuple(v.name for v in versions if not _whole(copies, v, roots)),
        files=copies.files,
    )


def _empty(target: str) -> Place:
    if not target:
        raise BadInput("target: a folder or an s3:// address for the backup is needed.")
    place = Place.of(target)
    if place.names(recursive=False):
        raise BadInput(f"target: {target} holds something; each backup needs a place of its own.")
    return place


def _tables(
    copies: Copies, settings: Settings, use_case: str, database: Connection
) -> dict[str, SavedTable]:
    tables = Tables(settings.table_root, use_case)
    mark = ledger_mark(database, use_case)
    versions = {v.version for v in registered(database) if v.model == use_case}
    done: dict[str, SavedTable] = {}
    for name in saved(tables):
        source = Place.of(tables.uri(name))
        for _ in range(TRIES):
            opened = tables.open(name, pinned(tables, name, mark, versions))
            try:
                for file, needed in files_of(source, opened):
                    copies.take(f"{TABLES}/{use_case}/{name}/{file}", source, file, needed)
            except FileNotFoundError:
                continue  # compacted and vacuumed meanwhile: the newest version is whole
            done[name] = SavedTable(version=opened.version(), rows=opened.count())
            break
        else:
            raise Unavailable(f"Files of {use_case}/{name} keep being removed; try again later.")
    return done


def _artifacts(copies: Copies, locations: list[str], served: str) -> dict[str, str]:
    """Copy what lies at the locations, those inside another one with it; their new folders."""
    roots: dict[str, str] = {}
    for location in locations:
        if _holder(location, roots):
            continue
        roots[location] = f"{ARTIFACTS}/{len(roots)}"
        source = Place.of(behind_server(location, served) or location)
        for name in source.names():
            copies.take(f"{roots[location]}/{name}", source, name, needed=False)
    return roots


def _holder(location: str, roots: dict[str, str]) -> str:
    """The root that a location lies in; "" where it lies in none."""
    inside = (root for root in roots if f"{location}/".startswith(f"{root}/"))
    return next(inside, "")


def _whole(copies: Copies, version: RegisteredPackage, roots: dict[str, str]) -> bool:
    """Whether the copy of a version's package is what was registered."""
    root = _holder(version.source, roots)
    folder = roots.get(root, "") + version.source.removeprefix(root)
    manifest = copies.files.get(f"{folder}/{MANIFEST_FILE}")
    if manifest is None or manifest.sha256 != version.digest:
        return False
    sealed = json.loads(copies.target.read(f"{folder}/{MANIFEST_FILE}"))
    found = {name: copies.files.get(f"{folder}/{name}") for name in sealed}
    return all(file and file.sha256 == sealed[name] for name, file in found.items())


def main(
    target: TargetOption = "", root: cli.RootOption = "", artifacts: ArtifactsOption = ""
) -> None:
    """Backup: copy database, tables and artifacts of the whole store, beside running services."""
    settings = read_settings(root)
    with working("copying"):
        made = backup(settings, target, artifacts)
    size = sum(file.size for file in made.files.values())
    facts = {
        "backup": target,
        "files": f"{count(len(made.files))}, {size / 1e6:,.1f} MB",
        "tables": f"{len(made.tables)}, {count(sum(t.rows for t in made.tables.values()))} rows",
        "versions": f"{len(made.versions)} registered",
    }
    if made.damaged:
        facts["WARNING"] = f"packages not whole in the store: {', '.join(made.damaged)}"
    summary("Backed up", facts, {f"fourcycle restore --source {target}": "into an empty home"})


if __name__ == "__main__":
    cli.run(main)
