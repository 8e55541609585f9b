"""What `history` and `rollback` cost in a store of years, beside a store that is almost new.

The penguins are trained once. Their rows in MLflow's database are copied to so many versions and
runs, and a ledger tells of every version, and of signatures after that: each entry bears the state
of all versions, so this is the largest such ledger. Prints Markdown, for docs/benchmarks.md.
"""

import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from deltalake import CommitProperties, Transaction, write_deltalake

from contract.settings import read_settings
from contract.store.ledger import SCHEMA, LedgerEntry, RegistryState, append_entry, read_entries
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from pipelines.registry.move import settle
from pipelines.relocate import relocate
from pipelines.runtime.workspace import connected

PROJECT = Path(__file__).resolve().parent.parent
NAME = "penguins"
FEW = 8  # versions of the store that is almost new: each rollback needs one to go back to
LATELY = 40  # entries with a commit of their own; older ones are in a merged file


def environment(folder: Path) -> dict[str, str]:
    """A process of ours that works in a folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "FOURCYCLE_"))}
    ours = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "PYTHONPATH": str(PROJECT)}
    return clean | ours


def copy_versions(database: sqlite3.Connection, versions: int) -> None:
    """Versions 2, 3, ... as copies of the first one with its tags."""
    for table in ("model_versions", "model_version_tags"):
        database.execute(f"DELETE FROM {table} WHERE version > 1")
        names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        taken = ", ".join(":version" if name == "version" else name for name in names)
        database.executemany(
            f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE version = 1",
            [{"version": number} for number in range(2, versions + 1)],
        )


def copy_runs(database: sqlite3.Connection, runs: int) -> None:
    """So many runs more, copies of those that are there with all that belongs to them."""
    there = [row[0] for row in database.execute("SELECT run_uuid FROM runs ORDER BY start_time")]
    copies = [{"old": there[n % len(there)], "new": uuid.uuid4().hex} for n in range(runs)]
    for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
        names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        taken = ", ".join(":new" if name == "run_uuid" else f'"{name}"' for name in names)
        database.executemany(
            f"INSERT INTO {table} SELECT {taken} FROM {table} WHERE run_uuid = :old",
            copies,
        )


def moves(versions: int, entries: int, package: str) -> list[LedgerEntry]:
    """Every version registered and promoted, then the champion signed over and over."""
    state, made = RegistryState(), list[LedgerEntry]()
    head: LedgerEntry | None = None

    def add(entry: LedgerEntry) -> LedgerEntry:
        made.append(entry.after(head, datetime.now(UTC)))
        return made[-1]

    def entry(move: str, version: str, state: RegistryState) -> LedgerEntry:
        return LedgerEntry(move, version, "anna", "a benchmark", state, package=package)  # type: ignore[arg-type]

    for number in map(str, range(1, versions + 1)):
        state = replace(state, challenger=number)
        head = add(entry("register", number, state))
        former = (*state.former, *filter(None, [state.champion]))
        state = RegistryState(champion=number, former=former)
        head = add(entry("promote", number, state))
    while len(made) < entries:
        head = add(entry("sign", state.champion, state))
    return made


def write_ledger(tables: Tables, entries: list[LedgerEntry]) -> None:
    """The ledger as years leave it: old entries merged into one file, new ones each by itself."""
    shutil.rmtree(tables.uri("ledger"))
    assert append_entry(tables, entries[0])
    old = entries[1:-LATELY]
    rows = pa.Table.from_pylist([entry.row() for entry in old], SCHEMA)
    mark = CommitProperties(app_transactions=[Transaction("ledger", old[-1].number)])
    write_deltalake(tables.open("ledger"), rows, mode="append", commit_properties=mark)
    for entry in entries[-LATELY:]:
        assert append_entry(tables, entry)


def grow(folder: Path, versions: int, runs: int, entries: int) -> None:
    """Let the trained store in the folder look like one of years, and agree with itself."""
    settings = read_settings().model_copy(
        update={"tracking_uri": f"sqlite:///{folder}/mlflow.db", "root": str(folder / "data")}
    )
    relocate(settings)
    tables = Tables(str(folder / "data"), NAME)
    package = read_entries(tables)[0].package
    database = sqlite3.connect(folder / "mlflow.db")
    with database:
        copy_versions(database, versions)
        copy_runs(database, runs)
        database.execute("DELETE FROM registered_model_tags WHERE key LIKE '%ledger%'")
    database.close()
    write_ledger(tables, moves(versions, entries, package))
    settle(connected(load_use_case(NAME), settings, "releases"))


def measure(folder: Path, *command: str) -> tuple[float, float]:
    """Seconds that a command takes, and of the processor with all its children."""
    started, before = time.perf_counter(), os.times()
    arguments = [sys.executable, "-m", *command, "--use-case", NAME]
    subprocess.run(
        arguments, env=environment(folder), cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    after = os.times()
    used = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    return time.perf_counter() - started, used


def main(
    versions: Annotated[int, typer.Option(help="Registered versions.")] = 300,
    runs: Annotated[int, typer.Option(help="Runs.")] = 5_000,
    entries: Annotated[int, typer.Option(help="Entries of the ledger.")] = 3_000,
    rounds: Annotated[int, typer.Option(help="Of each command.")] = 3,
    keep: Annotated[str, typer.Option(help="Folder to keep the stores in.")] = "",
) -> None:
    """Measure, and print a Markdown table."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(keep or name).resolve()
        stores = {"new": home / "new", "large": home / "large"}
        if not stores["large"].exists():
            new = stores["new"]
            new.mkdir(parents=True)
            command = [sys.executable, "-m", "pipelines.main", "--use-case", NAME]
            quiet = subprocess.DEVNULL
            subprocess.run(
                command, env=environment(new), cwd=new, check=True, stdout=quiet, stderr=quiet
            )
            shutil.copytree(new, stores["large"])
            grow(stores["large"], versions, runs, entries)
            grow(new, FEW, 0, 2 * FEW + LATELY)
        typer.echo("| command | store | s | of the processor | times the new store's |")
        typer.echo("|---|---|---|---|---|")
        for command_name in ("history", "rollback"):
            found = {
                store: [measure(folder, f"pipelines.{command_name}") for _ in range(rounds)]
                for store, folder in stores.items()
            }
            new_used = statistics.median(used for _, used in found["new"])
            for store, pairs in found.items():
                wall, used = (statistics.median(one) for one in zip(*pairs, strict=True))
                figures = f"{wall:.1f} | {used:.1f} | {used / new_used:.2f}"
                typer.echo(f"| `{command_name}` | {store} | {figures} |")


if __name__ == "__main__":
    typer.run(main)
