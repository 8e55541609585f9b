"""Somebody moved aliases or stages in MLflow past our commands."""

from datetime import datetime

from contract.store.ledger import LedgerEntry, read_entries
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.alerts.notice import Notice, NoticeKind

BY_HAND = ("external", "reset")


def look(use_case: UseCase, tables: Tables, now: datetime) -> Notice | None:
    """What was done by hand since a command of ours moved a version; None without a ledger."""
    return judged(read_entries(tables))


def judged(entries: list[LedgerEntry]) -> Notice | None:
    """The same of entries: the newest is by hand, or all is well."""
    if not entries:
        return None
    newest = entries[-1]
    if newest.move not in BY_HAND:
        return Notice(MOVED_BY_HAND)
    reason = f"Entry {newest.number} of the ledger, {newest.time:%Y-%m-%d %H:%M} UTC: {newest.why}."
    return Notice(MOVED_BY_HAND, newest.hash, (reason,))


MOVED_BY_HAND = NoticeKind(
    name="moved_by_hand",
    wrong="MOVED_BY_HAND",
    well="MOVED_BY_COMMAND",
    recovered="A version was moved by a command again.",
    next_steps=(
        "Ask who did it: MLflow does not keep that. Services serve what the ledger says: "
        "python -m pipelines.history --use-case {name}.",
    ),
    look=look,
)
