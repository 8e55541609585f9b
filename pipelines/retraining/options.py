"""What a person may ask of a retraining, read from the command line."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from contract.errors import BadInput
from contract.use_case.model import UseCase
from pipelines.retraining.policy import PersonalRequest
from pipelines.runtime import cli

AsOfOption = Annotated[
    str, typer.Option(help="Decide as on this day or time, e.g. 2013-10-01; empty: now.")
]
ForceOption = Annotated[str, typer.Option(help="yes: without a verdict; needs a reason.")]
AcceptOption = Annotated[
    str, typer.Option(help="yes: train on labels that look suspicious; needs a reason.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; stands on the run and the version.")]


def read_as_of(text: str, use_case: UseCase) -> datetime | None:
    """A day or time of the use case's zone, unless it names one; BadInput when it is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"as_of: a day or time such as 2013-10-01 is needed, found {text!r}."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(use_case.time_zone))


def read_wish(force: str, accept_labels: str, reason: str) -> PersonalRequest:
    """What was asked for by hand; BadInput without a reason."""
    wish = PersonalRequest(cli.flag(force), cli.flag(accept_labels), reason.strip().rstrip("."))
    if (wish.force or wish.accept_labels) and not any(map(str.isalnum, wish.reason)):
        raise BadInput(f"force and accept_labels need a reason in words, found {reason!r}.")
    return wish
