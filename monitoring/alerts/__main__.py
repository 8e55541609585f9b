"""Alerts: send a test message to every configured channel.

`python -m monitoring` sends real ones by itself, once its report stands.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer

from contract.command import run
from contract.errors import BadInput, FourcycleError, Unavailable
from contract.settings import read_settings
from contract.use_case.loader import load_use_case


def main(
    use_case: Annotated[str, typer.Option(help="Shipped use case or path.")] = "flights",
) -> None:
    """Send a test message to every channel that FOURCYCLE_ALERT_* configures; docs/alerts.md.

    Ends with 0 when all have taken it, 2 when none is configured, 3 when one has not.
    """
    from monitoring.alerts.channels.registry import CHANNELS, channels
    from monitoring.alerts.message import rehearsal

    settings = read_settings()
    to = channels(settings)
    if not to:
        variables = [channel.variable for channel in CHANNELS.values()]
        raise BadInput(f"No channel is configured: set {', '.join(variables)}, one or more.")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    message = rehearsal(
        load_use_case(use_case), f"alert-test-{uuid.uuid4()}", settings.ui_address, now
    )
    failed = []
    for name, send in to.items():
        try:
            send(message)
            typer.echo(f"{name}: sent", err=True)
        except FourcycleError as error:
            failed.append(name)
            typer.echo(f"{name}: not sent, {error}", err=True)
    if failed:
        raise Unavailable(f"Not sent to {', '.join(failed)}.")


if __name__ == "__main__":
    run(main)
