"""What somebody changed in MLflow by hand, and whether the ledger is the one that was written.

The newest entry that the registry shows stands in a tag of the registered model, its mark. A mark
older than the ledger tells of a move that was interrupted; anything else that differs was done by
hand.
"""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from contract.hints import written
from contract.names import CHAMPION
from contract.store.ledger import NONE, LedgerEntry, RegistryState, broken_link
from pipelines.registry.transitions import adopt, effects, plan
from pipelines.registry.versions import RegistrySnapshot
from tracking.tags import LEDGER_TAG


def mark_in(snapshot: RegistrySnapshot) -> str:
    """The entry that the registry shows."""
    return str(snapshot.model.tags.get(LEDGER_TAG, ""))


def damage(
    entries: list[LedgerEntry],
    snapshot: RegistrySnapshot | None,
    held: Sequence[LedgerEntry] = (),
) -> str:
    """What is wrong with the ledger, by its chain and by the mark in the registry; "" if nothing.

    The chain alone does not tell when its newest entries are cut off. Entries that are `held` were
    found whole before.
    """
    if broken := broken_link(entries, held):
        return broken
    number, _, mark = mark_in(snapshot).partition(" ") if snapshot else ("", "", "")
    if number and not (number.isdecimal() and int(number) <= len(entries)):
        return f"the registry shows entry {number}, the table ends with {len(entries)}"
    if number and entries[int(number) - 1].hash != mark:
        return f"entry {number} is another one than the registry shows"
    return ""


def manual_changes(
    head: LedgerEntry | None, snapshot: RegistrySnapshot | None
) -> LedgerEntry | None:
    """The entry that records what somebody changed in MLflow since the registry showed the head."""
    if head and head.move != "reset" and (snapshot is None or _made_after(snapshot, head)):
        why = "the registered model was deleted, and its versions with it"
        return LedgerEntry(
            "reset", NONE, "unknown", why, RegistryState(), host=socket.gethostname()
        )
    if snapshot is None or (head and mark_in(snapshot) != head.mark):
        return None
    now, observed = head.state if head else RegistryState(), snapshot.observed
    after, notes = adopt(now, observed)
    repairs = plan(after, observed)
    if after == now and not repairs:
        return None
    shown = observed.aliases.get(CHAMPION, NONE)
    subject = shown if shown != after.champion else NONE
    changed = [v for v in (now.champion, now.challenger, *now.former) if not observed.has(v)]
    subject = subject or next(iter(filter(None, [*changed, *repairs.stages])), after.champion)
    done = effects(repairs, observed)
    why = "; ".join([*notes, *(f"put right: {e}" for e in done)])
    if now.champion and not after.champion:
        why += f"; {rollback_hint(after, snapshot.model.name)}"
    before, became = observed.stages.get(subject, "deleted"), repairs.stages.get(subject, "")
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


def rollback_hint(state: RegistryState, use_case: str) -> str:
    """What can be done while there is no champion."""
    if not state.previous:
        return "no version was in Production before it"
    return f"rollback brings back version {state.previous}: {written('rollback', use_case)}"


def _made_after(snapshot: RegistrySnapshot, head: LedgerEntry) -> bool:
    made = datetime.fromtimestamp(snapshot.model.creation_timestamp / 1000, UTC)
    return LEDGER_TAG not in snapshot.model.tags and made > head.time
