"""Somebody moved aliases or stages in MLflow past our commands."""

from datetime import datetime

from contract.store.ledger import LedgerEntry, ShownRegistry, moved_by_hand, read_entries
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from monitoring.alerts.notice import Notice, NoticeKind

BY_HAND = ("external", "reset")


def look(
    use_case: UseCase, tables: Tables, now: datetime, shown: ShownRegistry | None = None
) -> Notice | None:
    """What was done by hand since a command of ours moved a version; None without a ledger."""
    return judged(read_entries(tables), shown)


def judged(entries: list[LedgerEntry], shown: ShownRegistry | None = None) -> Notice | None:
    """The same of entries, and of the registry where it was asked.

    A hand that moved an alias is one piece of news, whether a command has recorded it since or not:
    it is told by the entry that stood there when it happened.
    """
    if not entries:
        return None
    newest = entries[-1]
    if newest.move in BY_HAND:
        at = f"{newest.time:%Y-%m-%d %H:%M} UTC"
        reason = f"Entry {newest.number} of the ledger, {at}: {newest.why}."
        return Notice(MOVED_BY_HAND, newest.previous_hash or newest.hash, (reason,))
    said = moved_by_hand(entries, shown, newest.state.aliases) if shown else ""
    if said:
        return Notice(MOVED_BY_HAND, newest.hash, (said,))
    return Notice(MOVED_BY_HAND)


MOVED_BY_HAND = NoticeKind(
    name="moved_by_hand",
    wrong="MOVED_BY_HAND",
    well="MOVED_BY_COMMAND",
    recovered="What MLflow shows is what the commands have made of it again.",
    next_steps=(
        "Ask who did it: MLflow does not keep that. Services serve what the ledger says: "
        "fourcycle history --use-case {name}.",
    ),
    look=look,
)
