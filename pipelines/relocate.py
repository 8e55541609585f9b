"""Relocate: let the database say where the artifacts lie now, after its folder was moved or copied.

MLflow keeps absolute locations. One transaction replaces how they begin, and nothing else; the way
back is the same command with `--from` and `--to` exchanged.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from contract.addresses import SQLITE
from contract.errors import BadInput
from contract.settings import Settings, read_settings
from contract.store.locks import store_lock
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary
from pipelines.runtime.keeping.database import engine_of
from pipelines.runtime.keeping.relocation import foreign_homes, packages, replace_in
from tracking.locations import ARTIFACTS, local_folder

FromOption = Annotated[
    str, typer.Option("--from", help="Where artifacts were; empty: what the store says.")
]
ToOption = Annotated[
    str, typer.Option(help="Where they are now; empty: the folder of the database.")
]
DryRunOption = Annotated[str, typer.Option(help="yes: say what would be changed, change nothing.")]


@dataclass(frozen=True)
class Relocated:
    """What was changed, by table and column."""

    old: str
    new: str
    counts: dict[str, int]
    absent: int  # packages of registered versions that are not where it says now

    @property
    def changed(self) -> int:
        """Locations in all."""
        return sum(self.counts.values())


def relocate(
    settings: Settings, old: str = "", new: str = "", dry_run: bool = False
) -> list[Relocated]:
    """Replace the beginnings of locations; nothing where the store says the truth already.

    BadInput where that is not safe, or nobody can tell what it should say.
    """
    with engine_of(settings) as engine, store_lock(settings):
        if not settings.store_uri.startswith(SQLITE) and not (old and new):
            raise BadInput(
                "Only beside a sqlite database is it known where artifacts lie; of this one --from "
                "and --to are needed, e.g. --from s3://old/mlflow --to s3://new/mlflow."
            )
        places = [old] if old else [str(home) for home in foreign_homes(engine, settings)]
        to = new or str(settings.home)
        if not old:
            for place in places:
                _check_copied(place, to)
        with engine.connect() as connection:
            done = [(p, dict(replace_in(connection, p, to))) for p in places]
            folders = [folder for folder in map(local_folder, packages(connection)) if folder]
            if not dry_run:
                connection.commit()
        absent = sum(not folder.exists() for folder in folders)
        return [Relocated(place, to, counts, absent) for place, counts in done]


def _check_copied(old: str, new: str) -> None:
    """BadInput where artifacts were left behind: they would be lost from sight."""
    left, here = Path(old) / ARTIFACTS, Path(new) / ARTIFACTS
    if left.is_dir() and not here.is_dir():
        raise BadInput(f"The artifacts are still in {left}; copy that folder to {here} first.")


def main(
    from_: FromOption = "",
    to: ToOption = "",
    dry_run: DryRunOption = "",
) -> None:
    """Relocate: after a move or copy of the store, say where its artifacts lie now."""
    settings, dry = read_settings(), cli.flag(dry_run)
    done = [r for r in relocate(settings, from_, to, dry) if r.changed]
    facts = {r.old: f"{_changes(r)} → {r.new}" for r in done}
    title = "Would be relocated" if dry else "Relocated"
    summary(title, facts or {"locations": "nothing to change, all are as the store says"}, {})


def _changes(relocated: Relocated) -> str:
    changed = f"{count(relocated.changed)} locations"
    if relocated.absent:
        changed += f" (packages of versions that are not there: {count(relocated.absent)})"
    return changed


if __name__ == "__main__":
    cli.run(main)
