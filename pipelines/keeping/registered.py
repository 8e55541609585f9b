"""What a copy of MLflow's database holds of the registry, read without MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, column, select, table

from tracking.tags import LEDGER_TAG, PACKAGE_TAG

DELETED = "Deleted_Internal"


@dataclass(frozen=True)
class RegisteredPackage:
    """A registered version: where its package lies and what it must be."""

    model: str
    version: str
    source: str
    digest: str  # "": it was registered without one

    @property
    def name(self) -> str:
        """The version as a backup names it."""
        return f"{self.model}/{self.version}"


def registered(connection: Connection) -> list[RegisteredPackage]:
    """Every version of every model that was not deleted."""
    digests = dict(_digests(connection))
    of = [column(name) for name in ("name", "version", "source", "current_stage")]
    rows = connection.execute(select(*of).select_from(table("model_versions")))
    return [
        RegisteredPackage(model, str(version), source or "", digests.get((model, version), ""))
        for model, version, source, stage in rows
        if stage != DELETED
    ]


def ledger_mark(connection: Connection, model: str) -> int:
    """The number of the ledger's entry that the registry shows of a model; 0: none."""
    of = select(column("value")).select_from(table("registered_model_tags"))
    of = of.where(column("name") == model, column("key") == LEDGER_TAG)
    shown = connection.execute(of).scalar()
    return int(str(shown).partition(" ")[0]) if shown else 0


def experiment_locations(connection: Connection) -> list[str]:
    """Where the artifacts of each experiment lie, those of deleted ones too."""
    values = select(column("artifact_location")).select_from(table("experiments"))
    return [value for (value,) in connection.execute(values) if value]


def _digests(connection: Connection) -> Iterator[tuple[tuple[str, int], str]]:
    of = [column(name) for name in ("name", "version", "value")]
    rows = select(*of).select_from(table("model_version_tags")).where(column("key") == PACKAGE_TAG)
    for model, version, value in connection.execute(rows):
        yield (model, version), value
