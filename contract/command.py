"""How the services' commands run: one sentence for each error, and its exit code."""

import logging
import os
import sys
from collections.abc import Callable, Mapping

import typer

from contract.errors import FourcycleError
from contract.unforeseen import ENDED_BY_IT, sentence

NOTHING: Mapping[str, str] = {}


def run(main: Callable[..., None], environment: Mapping[str, str] = NOTHING) -> None:
    """Parse the command line and run `main` to its exit code.

    `environment` holds defaults of variables that libraries read while they are imported.
    """
    prepare(environment)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except FourcycleError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except Exception as error:  # of any kind: what is left goes to a person
        typer.echo(sentence(error), err=True)
        sys.exit(ENDED_BY_IT)


def prepare(environment: Mapping[str, str] = NOTHING) -> None:
    """Defaults of the environment, and a service's warnings with their time on standard error."""
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
