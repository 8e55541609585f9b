"""Monitor: judge a window of predictions against the reference, and write the report to MLflow."""

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from contract.command import run
from contract.errors import BadInput, FourcycleError
from contract.settings import Settings, read_settings
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from monitoring.windows.window import WindowRequest, read_count, read_day, read_versions

if TYPE_CHECKING:
    from monitoring.alerts.channels.delivery import Send
    from monitoring.monitor import Monitored

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
DRIFT = ("DRIFT", "SCHEMA_CHANGED")


def main(
    use_case: Annotated[str, typer.Option(help="Shipped use case or path.")] = "flights",
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    from_: Annotated[str, typer.Option("--from", help="First day, e.g. 2013-07-01.")] = "",
    until: Annotated[str, typer.Option(help="First day after the window.")] = "",
    last: Annotated[str, typer.Option(help="The newest N rows instead of days.")] = "",
    versions: Annotated[
        str,
        typer.Option(help="Rows that table versions added instead, e.g. 3-7: after 3, up to 7."),
    ] = "",
    version: Annotated[
        str, typer.Option(help="Model version; empty: each one that answered in the window.")
    ] = "",
    fail_on: Annotated[str, typer.Option(help="drift: end with 1 when there is.")] = "",
    as_json: Annotated[str, typer.Option("--json", help="yes: print JSON to stdout.")] = "",
) -> None:
    """Monitor: judge a window of predictions (empty: the newest declared one), log the report."""
    if as_json not in ("", "yes", "no"):
        raise BadInput(f"json: yes or no is needed, found {as_json!r}.")
    if fail_on not in ("", "drift"):
        raise BadInput(f"fail_on: drift or nothing is needed, found {fail_on!r}.")
    request = WindowRequest(
        read_day("from", from_),
        read_day("until", until),
        read_count("last", last),
        read_versions(versions),
    )
    declared = load_use_case(use_case)
    # `mlflow run` makes a run in an experiment that need not be ours; reports have their own.
    os.environ.pop("MLFLOW_RUN_ID", None)
    # MLflow takes seconds to import; --help and a wrong option answer at once.
    from monitoring.alerts.channels.registry import channels
    from monitoring.monitor import monitor
    from monitoring.report.publish import link

    settings = read_settings(root)
    to = channels(settings)  # an incomplete channel is refused before the work
    done = monitor(declared, settings, request, version, _say)
    if as_json == "yes":
        first, *others = (asdict(m) for m in done)
        typer.echo(json.dumps(first | {"others": others}, indent=2))
    for monitored in done:
        place = link(monitored.experiment_id, monitored.run_id)
        _summary(monitored, settings.ui_url.rstrip("/") + place)
    _alert(declared, settings, [m.version for m in done], to)
    if fail_on and any(m.status in DRIFT for m in done):
        raise typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(f"  … {line}", err=True)


def _warn(line: str) -> None:
    typer.echo(f"  WARNING: {line}", err=True)


def _summary(monitored: "Monitored", address: str) -> None:
    again = " (reported before, not again)" if monitored.already else ""
    revision = f", revision {monitored.revision}" if monitored.revision > 1 else ""
    lines = [
        f"{monitored.status}{again}: version {monitored.version}, {monitored.window}{revision}, "
        f"{monitored.rows:,} rows",
        *(f"  - {reason}" for reason in monitored.reasons),
        f"  report: {monitored.report}",
        f"  in MLflow, while make ui runs: {address}",
    ]
    typer.echo("\n".join(lines), err=True)


def _alert(
    use_case: UseCase, settings: Settings, versions: list[str], to: "dict[str, Send]"
) -> None:
    """Send what is due. The report stands, so no trouble here changes the exit code."""
    from monitoring.alerts.announce import announce

    try:
        done = announce(use_case, settings, versions, to, _warn)
    except Exception as error:  # of any kind; a foreign one's text may hold an address
        reason = str(error) if isinstance(error, FourcycleError) else type(error).__name__
        _warn(f"alerts wait for the next run: {reason}")
        return
    for each in done:
        about = f"{each.message.kind} on version {each.message.version}, {each.message.window}"
        line = f"alert: {about}: sent to {each.channel}"
        if each.failure:
            line = f"WARNING: {each.channel} did not take the {about}: {each.failure}; "
            line += "the next run tries again"
        typer.echo(f"  {line}", err=True)


if __name__ == "__main__":
    run(main, QUIET)
