"""What a backup is: one document, written last, that names every file with its digest."""

from datetime import datetime
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from contract.errors import BadInput, Refused
from pipelines.runtime.keeping.places import Place, StoredFile

MANIFEST = "backup.json"
FORMAT = 1
DATABASE = "database"  # the file of a backup that is a sqlite database, or a dump by pg_dump
ARTIFACTS = "artifacts"
TABLES = "tables"


class SavedTable(BaseModel):
    """A table at the version that was copied."""

    model_config = ConfigDict(frozen=True)
    version: int
    rows: int


class BackupManifest(BaseModel):
    """A whole backup."""

    model_config = ConfigDict(frozen=True)
    format: int = FORMAT
    fourcycle: str = version("fourcycle")
    made: datetime
    database: Literal["sqlite", "postgresql"]
    home: str
    artifacts: dict[str, str]  # where they were: the folder of the backup
    tables: dict[str, SavedTable]  # by <use case>/<table>
    versions: dict[str, str]  # by <model>/<version>: the digest of its package
    damaged: tuple[str, ...]  # versions whose package was not whole when it was copied
    files: dict[str, StoredFile]


def read_manifest(place: Place) -> BackupManifest:
    """BadInput where there is no whole backup; Refused where a later release made it."""
    try:
        text = place.read(MANIFEST)
    except OSError:
        raise BadInput(
            f"{place.path} holds no {MANIFEST}: it is no backup, or one that was not finished."
        ) from None
    try:
        found = _Format.model_validate_json(text)
        if found.format > FORMAT:
            raise Refused(
                f"The backup in {place.path} has format {found.format} of Fourcycle "
                f"{found.fourcycle}; this one reads up to {FORMAT}."
            )
        return BackupManifest.model_validate_json(text)
    except ValidationError as error:
        raise Refused(f"{MANIFEST} in {place.path} can't be read: {error}") from error


class _Format(BaseModel):
    format: int
    fourcycle: str
