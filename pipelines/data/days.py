"""Days of the use case: where one begins, and windows given in place of the declared ones."""

from datetime import UTC, date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from contract.errors import BadInput
from contract.use_case.model import UseCase
from contract.use_case.sections.split import TimeSplit

TrainFromOption = Annotated[str, typer.Option(help="First day of training, e.g. 2013-01-01.")]
TrainUntilOption = Annotated[
    str, typer.Option(help="First day after training: the holdout's first.")
]
HoldoutUntilOption = Annotated[str, typer.Option(help="First day after the holdout.")]


def with_windows(
    use_case: UseCase, train_from: str, train_until: str, holdout_until: str
) -> UseCase:
    """The use case with the given days in its split; an empty string leaves the declared one."""
    given = {
        name: _day(name, text)
        for name, text in (
            ("train_from", train_from),
            ("train_until", train_until),
            ("holdout_until", holdout_until),
        )
        if text
    }
    if not given:
        return use_case
    if not isinstance(use_case.split, TimeSplit):
        by = use_case.split.by
        raise BadInput(
            f"{', '.join(given)}: windows need a split by time, {use_case.name} splits by {by}."
        )
    try:
        split = TimeSplit.model_validate(use_case.split.model_dump() | given)
    except ValueError as error:
        raise BadInput(f"{', '.join(given)}: {error}") from error
    return use_case.model_copy(update={"split": split})


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{name}: a day like 2013-06-01 is needed, found {text!r}.") from None


def local_midnight(day: date, time_zone: str) -> datetime:
    """The moment a day begins in the use case's time zone, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)
