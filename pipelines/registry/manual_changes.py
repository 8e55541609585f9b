"""What somebody changed in MLflow by hand, and whether the ledger is the one that was written.

The newest entry that the registry shows stands in a tag of the registered model, its mark. A mark
older than the ledger tells of a move that was interrupted; anything else that differs was done by
hand.
"""

import socket
from datetime import UTC, datetime

from pipelines.registry.ledger import NONE, LedgerEntry, RegistryState, broken_link
from pipelines.registry.transitions import adopt, effects, plan
from pipelines.registry.versions import RegistrySnapshot
from tracking.tags import LEDGER_TAG


def mark_in(shown: RegistrySnapshot) -> str:
    """The entry that the registry shows."""
    return str(shown.model.tags.get(LEDGER_TAG, ""))


def mark_of(entry: LedgerEntry) -> str:
    """How an entry is marked in the registry."""
    return f"{entry.number} {entry.hash}"


def damage(entries: list[LedgerEntry], shown: RegistrySnapshot | None) -> str:
    """What is wrong with the ledger, by its chain and by the mark in the registry; "" if nothing.

    The chain alone does not tell when its newest entries are cut off.
    """
    if broken := broken_link(entries):
        return broken
    number, _, mark = mark_in(shown).partition(" ") if shown else ("", "", "")
    if number and int(number) > len(entries):
        return f"the registry shows entry {number}, the table ends with {len(entries)}"
    if number and entries[int(number) - 1].hash != mark:
        return f"entry {number} is another one than the registry shows"
    return ""


def found_by_hand(head: LedgerEntry | None, shown: RegistrySnapshot | None) -> LedgerEntry | None:
    """The entry that records what somebody changed in MLflow since the head was shown."""
    if head and head.move != "reset" and (shown is None or _made_after(shown, head)):
        why = "the registered model was deleted, and its versions with it"
        return LedgerEntry(
            "reset", NONE, "unknown", why, RegistryState(), host=socket.gethostname()
        )
    if shown is None or (head and mark_in(shown) != mark_of(head)):
        return None
    now, seen = head.standing if head else RegistryState(), shown.observed
    after, notes = adopt(now, seen)
    repairs = plan(after, seen)
    if after == now and not repairs:
        return None
    subject = after.champion if after.champion != now.champion else NONE
    changed = [v for v in (now.champion, now.challenger, *now.former) if not seen.has(v)]
    subject = subject or next(iter(filter(None, [*changed, *repairs.stages])), after.champion)
    done = effects(repairs, seen)
    why = "; ".join([*notes, *(f"put right: {e}" for e in done)])
    if now.champion and not after.champion:
        why += f"; {offer(after, shown.model.name)}"
    before, became = seen.stages.get(subject, "deleted"), repairs.stages.get(subject, "")
    return LedgerEntry(
        "external",
        subject,
        "unknown",
        why,
        after,
        from_stage=before,
        to_stage=became or before,
        expected=now.champion,
        effects=done,
        host=socket.gethostname(),
    )


def offer(standing: RegistryState, use_case: str) -> str:
    """What can be done while there is no champion."""
    if not standing.previous:
        return "no version was in Production before it"
    command = f"mlflow run . --env-manager local -e rollback -P use_case={use_case}"
    return f"rollback brings back version {standing.previous}: {command}"


def _made_after(shown: RegistrySnapshot, head: LedgerEntry) -> bool:
    made = datetime.fromtimestamp(shown.model.creation_timestamp / 1000, UTC)
    return LEDGER_TAG not in shown.model.tags and made > head.time
