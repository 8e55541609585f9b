"""Restore: a backup becomes a store again, in an empty home that may lie elsewhere.

The database comes last, for it makes a folder a store; a restoration that broke off before is none.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from contract.addresses import SQLITE, sqlite_file
from contract.errors import BadInput, Refused
from contract.settings import Settings, read_settings
from contract.store.locks import store_lock
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary, working
from pipelines.runtime.keeping.database import check_empty, closed, engine_of, load_dump
from pipelines.runtime.keeping.manifest import (
    ARTIFACTS,
    DATABASE,
    TABLES,
    BackupManifest,
    read_manifest,
)
from pipelines.runtime.keeping.places import SERVED, Place, behind_server
from pipelines.runtime.keeping.relocation import replace_in
from tracking.locations import ARTIFACTS as BESIDE_DATABASE
from tracking.locations import local_folder

SourceOption = Annotated[str, typer.Option(help="The folder or s3:// address of a backup.")]
ArtifactsOption = Annotated[
    str,
    typer.Option(
        help="Where artifacts shall lie, a server's --artifacts-destination; empty: beside the "
        "database."
    ),
]


@dataclass(frozen=True)
class Destination:
    """Where the parts of a backup go."""

    settings: Settings
    artifacts: str  # a folder or an s3:// address

    def of(self, location: str, folder: str, home: str) -> str:
        """The new address of artifacts that lay at a location: alike beside the database or behind
        a server, else by the number of their folder in the backup."""
        if served := behind_server(location, self.artifacts):
            return served
        was = local_folder(location)
        inside = was is not None and was.is_relative_to(Path(home) / BESIDE_DATABASE)
        name = str(was.relative_to(Path(home) / BESIDE_DATABASE)) if was and inside else ""
        return f"{self.artifacts}/{name or folder.removeprefix(f'{ARTIFACTS}/')}"


def restore(settings: Settings, source: str, artifacts: str = "") -> BackupManifest:
    """Put a backup into an empty home; Refused where a file is not the one that was backed up."""
    place = Place.of(source)
    manifest = read_manifest(place)
    kind = "sqlite" if settings.store_uri.startswith(SQLITE) else "postgresql"
    if manifest.database != kind:
        raise BadInput(f"The backup is of {manifest.database}, MLFLOW_TRACKING_URI of {kind}.")
    to = Destination(settings, artifacts.rstrip("/") or str(settings.home / BESIDE_DATABASE))
    with store_lock(settings):
        for address in (to.artifacts, settings.table_root):
            _check_free(address)
        check_empty(settings)
        roots = {
            old: to.of(old, folder, manifest.home) for old, folder in manifest.artifacts.items()
        }
        with _all_or_nothing(to.artifacts, settings.table_root):
            for old, folder in manifest.artifacts.items():
                _bring(manifest, place, f"{folder}/", roots[old])
            _bring(manifest, place, f"{TABLES}/", settings.table_root)
            _database(settings, manifest, place, roots)
    return manifest


@contextmanager
def _all_or_nothing(*addresses: str) -> Iterator[None]:
    """What was brought to places that were free goes again where the rest can't come."""
    try:
        yield
    except BaseException:
        for address in addresses:
            place = Place.of(address)
            for name in _held(place):
                place.drop(name)
        raise


def _check_free(address: str) -> None:
    if _held(Place.of(address)):
        raise BadInput(f"A backup is restored into an empty home only; {address} holds something.")


def _held(place: Place) -> list[str]:
    return [name for name in place.names(recursive=False) if name != ".locks"]


def _bring(manifest: BackupManifest, place: Place, begin: str, address: str) -> None:
    target = Place.of(address)
    for name, expected in manifest.files.items():
        if not name.startswith(begin):
            continue
        if target.take(name.removeprefix(begin), place, name) != expected:
            raise _changed(name)


def _database(
    settings: Settings, manifest: BackupManifest, place: Place, roots: Mapping[str, str]
) -> None:
    """The database with the new locations, in one step."""
    with tempfile.TemporaryDirectory(dir=settings.home) as folder:
        if Place.of(folder).take(DATABASE, place, DATABASE) != manifest.files[DATABASE]:
            raise _changed(DATABASE)
        copy = Path(folder) / DATABASE
        if settings.store_uri.startswith(SQLITE):
            with closed(f"{SQLITE}{copy}") as engine:
                _relocate(engine, roots)
            os.sync()
            copy.rename(sqlite_file(settings.store_uri))
        else:
            load_dump(settings, copy)
            with engine_of(settings) as engine:
                _relocate(engine, roots)


def _relocate(engine: Engine, roots: Mapping[str, str]) -> None:
    with engine.begin() as connection:
        for old, new in roots.items():
            if not old.startswith(SERVED):  # the server is asked for them as before
                replace_in(connection, old, new)


def _changed(name: str) -> Refused:
    return Refused(f"{name} in the backup is not the file that was backed up; nothing can use it.")


def main(
    source: SourceOption = "", root: cli.RootOption = "", artifacts: ArtifactsOption = ""
) -> None:
    """Restore: put a backup into an empty home, here or elsewhere."""
    if not source:
        raise BadInput("source: the folder or s3:// address of a backup is needed.")
    settings = read_settings(root)
    with working("copying and comparing digests"):
        manifest = restore(settings, source, artifacts)
    facts = {
        "backup": f"{source}, made {manifest.made:%Y-%m-%d %H:%M} UTC",
        "store": settings.tracking_uri,
        "tables": f"{len(manifest.tables)} in {settings.table_root}",
        "files": count(len(manifest.files)),
    }
    summary("Restored", facts, {"who is live, and is the ledger whole": "fourcycle history"})


if __name__ == "__main__":
    cli.run(main)
