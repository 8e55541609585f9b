"""Notes on columns whose values look strange: they warn people and stop nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from contract.markdown import plain

NoteKind = Literal["sentinel", "constant", "spelling", "infinity", "JSON"]
NAMED = 3  # in one line


@dataclass(frozen=True)
class ColumnNote:
    """What is strange about a column, on how many rows, in words."""

    column: str
    kind: NoteKind
    rows: int
    told: str


def short(notes: Sequence[ColumnNote]) -> str:
    """The first notes on one line: what, and in which column."""
    named = ", ".join(f"{note.kind} in {note.column}" for note in notes[:NAMED])
    return named + (f" and {len(notes) - NAMED} more" if len(notes) > NAMED else "")


def page(notes: Sequence[ColumnNote]) -> str:
    """All notes for a person, in Markdown."""
    if not notes:
        return "No column looks strange.\n"
    lines = [f"- **{plain(note.column)}**: {plain(note.told)}" for note in notes]
    head = "# Columns that look strange\n\nNothing was changed or refused for that."
    return "\n".join([f"{head}\n", *lines]) + "\n"
