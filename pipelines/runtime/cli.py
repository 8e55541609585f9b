"""What every command has in common: flags, quiet libraries, one sentence per error, exit codes."""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from contract.errors import BadInput, Busy, FourcycleError, Unavailable
from contract.unforeseen import ENDED_BY_IT, SAFE, sentence
from pipelines.runtime.console import console

UseCaseOption = Annotated[
    str, typer.Option(help="A shipped use case (flights) or the path of a YAML file.")
]
RootOption = Annotated[
    str, typer.Option(help="Where tables live, a folder or s3://...; empty: FOURCYCLE_ROOT.")
]
RunOption = Annotated[
    str, typer.Option(help="Run id of the step before; empty: its newest finished run.")
]
JsonOption = Annotated[str, typer.Option("--json", help="yes: print JSON to stdout.")]

AWAY = "The {} stopped answering while the command ran; try again later."


def run(main: Callable[..., None]) -> None:
    """Run a command to its exit code: 0 done, 1 no or failed, 2 bad input, 3 try later."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    execute(app)


def execute(command: Callable[[], object]) -> None:
    """Run what parses the command line; an error of ours is one sentence and an exit code."""
    quieten()
    try:
        command()
    except FourcycleError as error:
        colour = "" if isinstance(error, Busy) else "red"
        console().print(str(error), markup=False, style=colour, soft_wrap=True)
        sys.exit(error.exit_code)
    except Exception as error:  # of any kind: what is left goes to a person
        said, code = _unforeseen(error)
        console().print(said, markup=False, style="red", soft_wrap=True)
        sys.exit(code)


def _unforeseen(error: Exception) -> tuple[str, int]:
    """What a person reads of an error that is none of ours, and the exit code."""
    # MLflow takes seconds to import; where it has failed it is there.
    from mlflow import MlflowException

    from contract.store.sql import did_not_answer
    from tracking.store import is_away
    from tracking.trouble import store_trouble
    from tracking.who import denied

    if trouble := store_trouble(error):
        return str(trouble), trouble.exit_code
    if is_away(error):
        return AWAY.format("tracking store"), Unavailable.exit_code
    if did_not_answer(error):
        return AWAY.format("store of the tables"), Unavailable.exit_code
    if said := denied(error):
        return said, BadInput.exit_code
    return sentence(error, (*SAFE, MlflowException)), ENDED_BY_IT


def quieten() -> None:
    """Switch off the chatter of libraries; what matters our own lines say."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    # The stage API is deprecated and part of this project's purpose: pipelines.registry.stages.
    warnings.filterwarnings("ignore", category=FutureWarning, module="mlflow")


def flag(value: str) -> bool:
    """A yes/no option as MLproject can pass it: every option takes a value."""
    word = value.strip().lower()
    if word not in {"", "yes", "no", "true", "false", "1", "0"}:
        raise typer.BadParameter(f"yes or no is needed, found {value!r}")
    return word in {"yes", "true", "1"}
