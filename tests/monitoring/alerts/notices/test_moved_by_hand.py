"""What was done by hand since a command moved a version: a table of ledgers."""

from datetime import UTC, datetime

import pytest

from contract.store.ledger import LedgerEntry, Move, RegistryState, ShownRegistry
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
    assert notice.about == (entries[-1].previous_hash if open_ else "")
    said = "Entry 2 of the ledger, 2024-01-01 09:30 UTC: champion went by hand."
    assert notice.reasons == ((said,) if open_ else ())


def test_without_a_ledger_nothing_is_said() -> None:
    assert judged([]) is None


@pytest.mark.parametrize(
    ("aliases", "settled", "said"),
    [
        ({"champion": "2", "previous": "1"}, True, ""),
        ({"champion": "3", "previous": "1"}, True, "'champion' was moved to version 3 by hand"),
        ({"previous": "1"}, True, "'champion' was moved away by hand"),
        ({"champion": "2"}, True, "'previous' was moved away by hand"),
        ({"champion": "2", "previous": "1", "challenger": "3"}, True, "the ledger says none"),
        ({"champion": "1"}, False, ""),  # a move that is under way
    ],
)
def test_an_alias_that_the_ledger_does_not_say_is_told_before_a_command_records_it(
    aliases: dict[str, str], settled: bool, said: str
) -> None:
    state = RegistryState(champion="2", former=("1",))
    entries = [LedgerEntry("promote", "2", "anna", "better", state).after(None, NOW)]
    shown = ShownRegistry(aliases, entries[-1].mark if settled else "")
    notice = judged(entries, shown)
    assert notice is not None
    assert notice.about == (entries[-1].hash if said else "")
    assert said in "".join(notice.reasons)
    recorded = LedgerEntry("external", "3", "unknown", said, state).after(entries[-1], NOW)
    later = judged([*entries, recorded], shown)
    assert later is not None
    assert not said or later.about == notice.about  # no news


def test_an_alias_set_before_there_was_a_ledger_is_told_by_its_own_entry() -> None:
    (first,) = ledger("external")
    notice = judged([first])
    assert notice is not None
    assert notice.about == first.hash
