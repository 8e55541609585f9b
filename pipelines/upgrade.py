"""Upgrade: bring a store that an older release made to what this one writes.

The database by MLflow's own migrations, each table by the columns and properties that it lacks. No
row is changed and nothing that a package or the ledger seals.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
import typer
from deltalake import Field, Schema

from contract.names import TableName
from contract.settings import Settings, read_settings
from contract.store import upkeep
from contract.store.feedback import feedback_schema
from contract.store.locks import store_lock
from contract.store.predictions import predictions_schema
from contract.store.tables import Tables
from pipelines.runtime import cli
from pipelines.runtime.console import summary
from pipelines.runtime.keeping.database import engine_of
from pipelines.runtime.keeping.table_copies import saved, use_cases
from tracking.schema import migrate, revision

# Columns of ours whose types follow from no use case; of the others the first writer decides.
COLUMNS: dict[TableName, pa.Schema] = {
    "predictions": predictions_schema({}, {}, "string"),
    "feedback": feedback_schema({}, "string"),
}
OF_THE_USE_CASE = {"inputs", "prediction", "shadow", "label"}

DryRunOption = Annotated[str, typer.Option(help="yes: say what would be done, do nothing.")]


@dataclass(frozen=True)
class Upgraded:
    """What was brought up to date, and how."""

    what: str
    how: str


def upgrade(settings: Settings, dry_run: bool = False) -> list[Upgraded]:
    """Do what is needed, in an order that may be repeated; Refused where a newer release made the
    store."""
    return [*_database(settings, dry_run), *_tables(settings, dry_run)]


def _database(settings: Settings, dry_run: bool) -> Iterator[Upgraded]:
    with engine_of(settings) as engine, store_lock(settings):
        before = revision(engine)
        if not before.known or not dry_run:
            migrate(engine)
    if not before.current:
        yield Upgraded("database", f"schema {before.found} → {before.needed}")


def _tables(settings: Settings, dry_run: bool) -> Iterator[Upgraded]:
    for use_case in use_cases(settings.table_root):
        tables = Tables(settings.table_root, use_case)
        for name in saved(tables):
            if how := _table(tables, name, dry_run):
                yield Upgraded(f"{use_case}/{name}", how)


def _table(tables: Tables, name: TableName, dry_run: bool) -> str:
    table, done = tables.open(name), []
    there = {field.name for field in table.schema().fields}
    ours = [field for field in COLUMNS.get(name, ()) if field.name not in OF_THE_USE_CASE]
    if missing := [field for field in ours if field.name not in there]:
        done.append(f"columns {', '.join(field.name for field in missing)}")
        if not dry_run:
            fields = Schema.from_arrow(pa.schema(missing)).fields
            table.alter.add_columns([Field(f.name, f.type) for f in fields])
    if not upkeep.properties(name).items() <= table.metadata().configuration.items():
        done.append("properties")
        if not dry_run:
            upkeep.set_properties(tables.open(name), name)
    return "; ".join(done)


def main(root: cli.RootOption = "", dry_run: DryRunOption = "") -> None:
    """Upgrade: bring a store of an older release to what this one needs; make a backup first."""
    settings, dry = read_settings(root), cli.flag(dry_run)
    facts = {one.what: one.how for one in upgrade(settings, dry)}
    title = "Would be upgraded" if dry else "Upgraded"
    summary(title, facts or {"store": "nothing to do, all is as this release needs it"}, {})


if __name__ == "__main__":
    cli.run(main)
