"""What a person sees: progress while it works, a summary at the end. All of it goes to stderr;
stdout is for what another program may read (`--json`)."""

import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

TRAILING = re.compile(r"[ \t]+(?=\n|$)")
PLAIN_WIDTH = 160  # of a log file, where nothing tells
NARROW = 100  # columns, below which a wide table breaks its cells into scraps


def console() -> Console:
    """A console on stderr; plain text when that is no terminal."""
    screen = Console(stderr=True, highlight=False)
    if screen.is_terminal:
        return screen
    return Console(file=_Unpadded(), highlight=False, width=PLAIN_WIDTH)


class _Unpadded(io.StringIO):
    """Standard error whose lines end with their last word: a file needs no right edge."""

    def write(self, text: str) -> int:
        return sys.stderr.write(TRAILING.sub("", text))

    def flush(self) -> None:
        sys.stderr.flush()


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something is going on, as a moving line on a terminal and one line elsewhere."""
    screen = console()
    if screen.is_terminal:
        with screen.status(escape(what)):
            yield
    else:
        screen.print(f"  … {what}", markup=False)
        yield


def summary(title: str, facts: Mapping[str, str], look: Mapping[str, str]) -> None:
    """The end of a command: what happened, and where to look next."""
    screen = console()
    # Escaped: `[/x]` in a title or a reason would be markup without a beginning, an error.
    table = Table(
        title=escape(title), title_justify="left", show_header=False, box=None, padding=(0, 2)
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(escape(name), escape(value))
    screen.print()
    screen.print(table)
    if look:
        screen.print("\n[bold]Look further[/bold]")
        for what, command in look.items():
            screen.print(f"  {command:<52} {what}", markup=False)


def rows(title: str, head: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Rows of one thing each: a table where it fits, else a card for each row."""
    screen = console()
    screen.print(f"[bold]{escape(title)}[/bold]")
    if screen.width >= NARROW:
        table = Table(*map(escape, head), box=SIMPLE_HEAD, pad_edge=False)
        for column in table.columns:
            column.overflow = "fold"
        for row in cells:
            table.add_row(*map(escape, row))
        screen.print(table)
        return
    for row in cells:
        card = Table.grid(padding=(0, 2), pad_edge=False)
        card.add_column(style="bold", no_wrap=True)
        card.add_column(overflow="fold")
        for name, text in zip(head, row, strict=True):
            if text:
                card.add_row(escape(name), escape(text))
        screen.print()
        screen.print(card)
    screen.print()


def count(number: float) -> str:
    """A whole number with thousands separated."""
    return f"{number:,.0f}"
