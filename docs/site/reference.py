"""Write the reference from the code: `python -m docs.site.reference`, or `make reference`.

What it writes is part of the repository, so that people read it where they read the code; a test
compares the two.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.site import badges, schema
from docs.site.pages import commands, exit_codes, http, metrics, settings, tables, use_case
from docs.site.places import REFERENCE

PAGES: Mapping[str, Callable[[], str]] = {
    "use-case.md": use_case.page,
    "settings.md": settings.page,
    "commands.md": commands.page,
    "tables.md": tables.page,
    "metrics.md": metrics.page,
    "http.md": http.page,
    "exit-codes.md": exit_codes.page,
}
NOTE = "\n<!-- Written by `make reference` from the code; change it there. -->\n"


def files() -> dict[Path, str]:
    """Every file of the reference with its text."""
    pages = {REFERENCE / name: page().rstrip() + "\n" + NOTE for name, page in PAGES.items()}
    return {**pages, schema.FILE: schema.text(), **badges.badges()}


def main() -> None:
    """Write them."""
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
