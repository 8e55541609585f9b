"""Status: how every use case stands, for people who don't open MLflow."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import BadInput
from contract.settings import read_settings
from pipelines.runtime import cli
from pipelines.scheduling.overview.publish import Found, write
from pipelines.scheduling.overview.reading import connected_to, standings
from pipelines.scheduling.overview.standing import ordered
from pipelines.scheduling.overview.wording import text

OneUseCaseOption = Annotated[
    str, typer.Option(help="Only this one: its name or the path of a YAML file; empty: all.")
]
HtmlOption = Annotated[
    str, typer.Option(help="Write the page to this file, and pages of the tables beside it.")
]


def main(
    use_case: OneUseCaseOption = "",
    root: cli.RootOption = "",
    html: HtmlOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Status: what is live, how good it is, what fails and what waits, of all use cases."""
    settings = read_settings(root)
    client = connected_to(settings)
    found: Found = {}
    if client is not None:
        found = standings(settings, client, datetime.now(UTC), use_case)
    page = Path(html).expanduser() if html else None
    if page:
        if page.is_dir():
            raise BadInput(f"html: a file is needed, and {page} is a folder.")
        write(page, settings, client, found)
    shown = [standing for _, standing in found.values()]
    if cli.flag(as_json):
        documents = [standing.document() for standing in ordered(shown)]
        print(json.dumps({"use_cases": documents}, indent=2, default=str))
    else:
        where = f"The whole of it: {page.resolve().as_uri()}" if page else WHOLE
        print(text(shown, where))


WHOLE = "More: fourcycle status --html overview.html; data: fourcycle datasets"


if __name__ == "__main__":
    cli.run(main)
