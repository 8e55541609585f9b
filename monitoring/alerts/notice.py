"""What people must know of and is no drift: kinds of notices, and when one is news. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from contract.store.ledger import ShownRegistry
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.alerts.message import Message, of_no_version
from monitoring.alerts.policy import Kind

# What stands now, by the tables, and by the registry where it was asked; None: it can't be said, so
# nothing opens or closes.
Look = Callable[["UseCase", Tables, datetime, ShownRegistry | None], "Notice | None"]


@dataclass(frozen=True)
class NoticeKind:
    """One thing that may be wrong beside drift, and what is said of it."""

    name: str  # in signals and tags
    wrong: str  # state of its alarm
    well: str  # state of its recovery
    recovered: str  # the sentence of a recovery
    next_steps: tuple[str, ...]  # of an alarm; {name} is the use case
    look: Look | None = None  # None: who meets it tells


@dataclass(frozen=True)
class Notice:
    """How it stands with one kind; an empty `about` says that all is well."""

    kind: NoticeKind
    about: str = ""  # what it rests on: the same again is no news
    reasons: tuple[str, ...] = ()
    report: str = ""  # path in MLflow's user interface; empty: the run of the message


def news(notice: Notice, told: Collection[str]) -> Kind | None:
    """Which message is due, given what people were told since all was well."""
    if notice.about:
        return None if notice.about in told else "alarm"
    return "recovery" if told else None


def worded(
    notice: Notice, kind: Kind, use_case: UseCase, run_id: str, report: str, decided: str
) -> Message:
    """The message; `run_id` is that of its own run, `report` a whole address."""
    alarm = kind == "alarm"
    steps = notice.kind.next_steps if alarm else ("Nothing needs to be done.",)
    return of_no_version(
        use_case,
        id=f"alert-{run_id}",
        kind=kind,
        state=notice.kind.wrong if alarm else notice.kind.well,
        signals=(notice.kind.name,),
        reasons=notice.reasons if alarm else (notice.kind.recovered,),
        next_steps=tuple(step.format(name=use_case.name) for step in steps),
        report=report,
        decided=decided,
    )
