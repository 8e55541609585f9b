"""Monitor: judge a window of predictions against the reference, and write the report to MLflow.

Each run also looks whether the source's deliveries come as often as the use case expects, and
whether somebody moved an alias by hand.
"""

import json
import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from contract.command import run
from contract.errors import BadInput
from contract.settings import Settings, read_settings
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from monitoring.windows.window import WindowRequest, read_count, read_day, read_versions

if TYPE_CHECKING:
    from contract.store.ledger import ShownRegistry
    from monitoring.alerts.notice import Notice
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
    only: Annotated[
        str,
        typer.Option(help="deliveries: judge no window; is one late, was an alias moved by hand?"),
    ] = "",
    fail_on: Annotated[str, typer.Option(help="drift: end with 1 when there is.")] = "",
    as_json: Annotated[str, typer.Option("--json", help="yes: print JSON to stdout.")] = "",
) -> None:
    """Monitor: judge a window of predictions (empty: the newest declared one), log the report."""
    _one_of("json", as_json, "yes or no", ("", "yes", "no"))
    _one_of("fail_on", fail_on, "drift or nothing", ("", "drift"))
    _one_of("only", only, "deliveries or nothing", ("", "deliveries"))
    days = read_day("from", from_), read_day("until", until)
    request = WindowRequest(*days, read_count("last", last), read_versions(versions))
    declared = load_use_case(use_case)
    # `mlflow run` makes a run in an experiment that need not be ours; reports have their own.
    os.environ.pop("MLFLOW_RUN_ID", None)
    # MLflow takes seconds to import; --help and a wrong option answer at once.
    from monitoring.alerts.announce import tell
    from monitoring.alerts.channels.registry import channels
    from monitoring.alerts.notices.registry import look

    settings = read_settings(root)
    channels(settings)  # an incomplete one is refused before the work
    states = {} if only else _windows(declared, settings, request, version, as_json == "yes")
    tables = Tables(settings.table_root, declared.name)
    shown = _shown(settings, tables)
    notices = look(declared, tables, datetime.now(UTC), shown)
    if only:
        _deliveries(notices, as_json == "yes")
    tell(declared, settings, _note, list(states), notices)
    if fail_on and any(state in DRIFT for state in states.values()):
        raise typer.Exit(1)


def _one_of(option: str, found: str, needed: str, words: tuple[str, ...]) -> None:
    if found not in words:
        raise BadInput(f"{option}: {needed} is needed, found {found!r}.")


def _shown(settings: Settings, tables: Tables) -> "ShownRegistry | None":
    """What the registry shows; None while no command of ours has moved a version."""
    if not tables.exists("ledger"):
        return None
    from monitoring.windows.versions import asking
    from tracking.shown import shown_registry
    from tracking.store import connect

    client = connect(settings)
    with asking():
        return shown_registry(client, tables.use_case)


def _windows(
    use_case: UseCase, settings: Settings, request: WindowRequest, version: str, as_json: bool
) -> dict[str, str]:
    """Report on the window of each version; their states."""
    from monitoring.monitor import monitor
    from monitoring.report.publish import link

    done = monitor(use_case, settings, request, version, _say)
    if as_json:
        first, *others = (asdict(m) for m in done)
        typer.echo(json.dumps(first | {"others": others}, indent=2))
    for monitored in done:
        place = link(monitored.experiment_id, monitored.run_id)
        _summary(monitored, settings.ui_address + place)
    return {m.version: m.status for m in done}


def _deliveries(notices: "list[Notice]", as_json: bool) -> None:
    wrong = [notice for notice in notices if notice.about]
    reasons = [reason for notice in wrong for reason in notice.reasons]
    state = wrong[0].kind.wrong if wrong else "OK"
    if as_json:
        typer.echo(json.dumps({"state": state, "reasons": reasons}, indent=2))
    for line in reasons or ["no delivery is late, and nothing was moved by hand"]:
        _note(line)


def _say(line: str) -> None:
    typer.echo(f"  … {line}", err=True)


def _note(line: str) -> None:
    typer.echo(f"  {line}", err=True)


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


if __name__ == "__main__":
    run(main, QUIET)
