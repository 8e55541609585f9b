"""What was done by hand since a command moved a version: a table of ledgers."""

from datetime import UTC, datetime

import pytest

from contract.store.ledger import LedgerEntry, Move, RegistryState
from monitoring.alerts.notices.moved_by_hand import judged

NOW = datetime(2024, 1, 1, 9, 30, tzinfo=UTC)


def ledger(*moves: Move) -> list[LedgerEntry]:
    entries: list[LedgerEntry] = []
    for move in moves:
        made = LedgerEntry(move, "2", "unknown", "champion went by hand", RegistryState())
        entries.append(made.after(entries[-1] if entries else None, NOW))
    return entries


@pytest.mark.parametrize(
    ("moves", "open_"),
    [
        (("promote",), False),
        (("promote", "external"), True),
        (("promote", "reset"), True),
        (("promote", "external", "register"), False),
    ],
)
def test_a_change_by_hand_is_told_until_a_command_moves(
    moves: tuple[Move, ...], open_: bool
) -> None:
    entries = ledger(*moves)
    notice = judged(entries)
    assert notice is not None
    assert notice.about == (entries[-1].hash if open_ else "")
    said = "Entry 2 of the ledger, 2024-01-01 09:30 UTC: champion went by hand."
    assert notice.reasons == ((said,) if open_ else ())


def test_without_a_ledger_nothing_is_said() -> None:
    assert judged([]) is None
