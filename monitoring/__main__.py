"""Monitor: compare a window of predictions with the training reference by Evidently."""

import json
import os
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from contract.errors import BadInput, FourcycleError
from contract.settings import read_settings
from contract.use_case_file import load_use_case
from monitoring.window import Window, read_day

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def main(
    use_case: Annotated[str, typer.Option(help="Shipped use case or path.")] = "flights",
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    from_: Annotated[str, typer.Option("--from", help="First day, e.g. 2013-07-01.")] = "",
    until: Annotated[str, typer.Option(help="First day after the window.")] = "",
    as_json: Annotated[str, typer.Option("--json", help="yes: print JSON to stdout.")] = "",
) -> None:
    """Compare the champion's predictions of a window with its reference; log the report."""
    if as_json not in ("", "yes", "no"):
        raise BadInput(f"json: yes or no is needed, found {as_json!r}.")
    window = Window(read_day("from", from_), read_day("until", until))
    name = load_use_case(use_case).name
    # MLflow takes seconds to import; --help and a wrong option answer at once.
    from monitoring.monitor import monitor

    typer.echo(f"… comparing {name}, {window}, with its reference", err=True)
    done = monitor(name, read_settings(root), window)
    if as_json == "yes":
        typer.echo(json.dumps(asdict(done), indent=2))
    drifted = ", ".join(done.columns_drifted) or "none"
    again = " (reported before, not again)" if done.already else ""
    link = f"#/experiments/{done.experiment_id}/runs/{done.run_id}"
    typer.echo(f"{done.status}{again}; columns that differ: {drifted}", err=True)
    typer.echo(f"report: {done.report}", err=True)
    typer.echo(f"in make ui: /{link}?workflowType=machine_learning", err=True)


def run() -> None:
    """Parse, monitor, and turn errors into one sentence and an exit code."""
    os.environ.update({k: v for k, v in QUIET.items() if k not in os.environ})
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except FourcycleError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    run()
