"""What a person sees: progress while it works, a summary at the end. All of it goes to stderr;
stdout is for what another program may read (`--json`)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PLAIN_WIDTH = 160  # of a log file, where nothing tells


def console() -> Console:
    """A console on stderr; plain text when that is no terminal."""
    screen = Console(stderr=True, highlight=False)
    return (
        screen if screen.is_terminal else Console(stderr=True, highlight=False, width=PLAIN_WIDTH)
    )


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


def count(number: float) -> str:
    """A whole number with thousands separated."""
    return f"{number:,.0f}"
