"""History: every move of every version, who made it and why, and whether the record is whole."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from contract.errors import BadInput, Refused
from contract.store.ledger import LedgerEntry, champion_at, read_entries
from pipelines.registry.description import moment
from pipelines.registry.manual_changes import damage, rollback_hint
from pipelines.registry.move import settle
from pipelines.registry.transitions import named
from pipelines.registry.versions import read_snapshot
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, rows
from pipelines.runtime.workspace import open_releases

NEWEST = 50  # moves that are printed unless all are asked for: a thousand take a second

AtOption = Annotated[
    str, typer.Option(help="Who was champion then, e.g. 2026-05-01T14:00 (UTC unless it says).")
]
AllOption = Annotated[
    str, typer.Option("--all", help=f"yes: print every move; empty: the newest {NEWEST}.")
]


def read_time(text: str) -> datetime:
    """An ISO 8601 time; UTC where it names no zone. BadInput when it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"at: a time such as 2026-05-01T14:00 is needed, found {text!r}.") from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def as_plain(entries: list[LedgerEntry]) -> list[dict[str, object]]:
    """Entries for a program: the columns of the table, with the previous version by name."""
    return [entry.row() | {"previous": entry.state.previous} for entry in entries]


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    at: AtOption = "",
    every: AllOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """History: print the ledger, verify it, and answer who was champion at a time."""
    printed = 0 if cli.flag(every) else NEWEST
    workspace = open_releases(use_case, root)
    entries = read_entries(workspace.tables)
    broken = damage(entries, read_snapshot(workspace))
    if not broken:
        entries = settle(workspace, entries)
    answer = champion_at(entries, read_time(at)) if at else None
    if cli.flag(as_json):
        document: dict[str, object] = {"intact": not broken, "entries": as_plain(entries)}
        if answer is not None:
            document |= {"at": read_time(at), "champion": answer}
        print(json.dumps(document, indent=2, default=str))
    elif answer is not None:
        console().print(f"champion of {workspace.model_name} at {at}: {named(answer)}")
    else:
        _print(workspace.model_name, entries, printed)
    if broken:
        raise Refused(f"The ledger of {workspace.model_name!r} is damaged: {broken}.")


def _print(model: str, entries: list[LedgerEntry], newest: int) -> None:
    """The newest entries as a table, 0: all, and what is so now."""
    if not entries:
        console().print(f"{model}: no version has moved yet")
        return
    head = ("#", "when", "move", "version", "stage", "who", "why", "champion")
    rows(f"Moves of {model}", head, [_cells(entry) for entry in entries[-newest:]])
    if earlier := len(entries[:-newest]) if newest else 0:
        console().print(f"{count(earlier)} earlier moves: --all yes prints them, --json yes too")
    now = entries[-1].state
    console().print(f"champion: {named(now.champion)}, previous: {named(now.previous)}")
    if not now.champion:
        console().print(rollback_hint(now, model))


def _cells(e: LedgerEntry) -> tuple[str, ...]:
    stage = f"{e.from_stage} → {e.to_stage}" if e.from_stage != e.to_stage else e.to_stage
    champion = e.state.champion or "none"
    return str(e.number), moment(e.time), e.move, e.version, stage, e.by, e.why, champion


if __name__ == "__main__":
    cli.run(main)
