"""What a copy of MLflow's database holds of the registry, read without MLflow."""

from dataclasses import dataclass

from sqlalchemy import Connection, String, column, select, table

from tracking.tags import LEDGER_TAG, PACKAGE_TAG

DELETED = "Deleted_Internal"
# What is read of MLflow's tables.
VERSIONS, TAGS, MODEL_TAGS, EXPERIMENTS = (
    table(name, *(column(of, String) for of in columns))
    for name, columns in {
        "model_versions": ("name", "version", "source", "current_stage"),
        "model_version_tags": ("name", "version", "key", "value"),
        "registered_model_tags": ("name", "key", "value"),
        "experiments": ("artifact_location",),
    }.items()
)


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
    tagged = select(TAGS.c.name, TAGS.c.version, TAGS.c.value).where(TAGS.c.key == PACKAGE_TAG)
    digests = {(model, version): value for model, version, value in connection.execute(tagged)}
    of = VERSIONS.c
    rows = connection.execute(select(of.name, of.version, of.source, of.current_stage))
    return [
        RegisteredPackage(model, str(version), source or "", digests.get((model, version), ""))
        for model, version, source, stage in rows
        if stage != DELETED
    ]


def ledger_mark(connection: Connection, model: str) -> int:
    """The number of the ledger's entry that the registry shows of a model; 0: none."""
    of = MODEL_TAGS.c
    wanted = select(of.value).where(of.name == model, of.key == LEDGER_TAG)
    shown = connection.execute(wanted).scalar()
    return int(str(shown).partition(" ")[0]) if shown else 0


def experiment_locations(connection: Connection) -> list[str]:
    """Where the artifacts of each experiment lie, those of deleted ones too."""
    values = connection.execute(select(EXPERIMENTS.c.artifact_location))
    return [value for (value,) in values if value]
