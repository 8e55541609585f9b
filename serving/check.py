"""Check a version's folder: load it as the service does and let it answer its golden rows.

`python -m serving.check <folder>` is the release check's clean process: exit code 0 and one line of
JSON, or exit code 1 and the reason as the last line on stderr.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from contract.errors import FourcycleError, Refused


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the version's package.")],
    name: Annotated[str, typer.Option(help="Registered model.")] = "model",
    version: Annotated[str, typer.Option(help="Version number.")] = "0",
) -> None:
    """Load a package and compare its answers on its golden rows."""
    from serving.model import load_version

    load_version(folder, name, version)
    print(json.dumps({"found": "loaded as the service loads it"}))


def run() -> None:
    """Parse, check, and turn every failure into one line and exit code 1."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except FourcycleError as error:
        typer.echo(" ".join(str(error).split()), err=True)
        sys.exit(Refused.exit_code)
    except Exception as error:  # whatever a broken package does, the answer is no, with a reason
        typer.echo(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}", err=True)
        sys.exit(Refused.exit_code)


if __name__ == "__main__":
    run()
