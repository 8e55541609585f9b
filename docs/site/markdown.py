"""Pieces of Markdown: tables whose cells hold any text, and fenced blocks."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """A text on one line, with no bar that would end its cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def code(text: object) -> str:
    """A text as code, "" where there is none."""
    return f"`{cell(text)}`" if str(text) else ""


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with these names on top; a blank line ends it."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) + "\n\n"


def fenced(text: str, language: str = "text") -> str:
    """A block of code; a longer fence where the text holds one."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n\n"
