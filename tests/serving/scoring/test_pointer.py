"""What the ledger says is to be served: a table of ledgers, registries and keys. Pure."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contract.signing import sign
from contract.store.ledger import LedgerEntry, Move, RegistryState, ShownRegistry, entry_said
from serving.scoring.pointer import pointed
from tests.support.keys import key_pair

KEY, OTHER = key_pair(), key_pair()
NOW = datetime(2024, 1, 1, tzinfo=UTC)
MOVES: dict[str, tuple[Move, str]] = {
    "r1": ("register", "1"),
    "p1": ("promote", "1"),
    "p2": ("promote", "2"),
    "b1": ("rollback", "1"),
    "x2": ("external", "2"),
    "s1": ("sign", "1"),
    "00": ("reset", ""),
}


def ledger(*moves: str) -> list[LedgerEntry]:
    """Entries by their short names; one that ends with ! is signed, with ? by another key."""
    entries: list[LedgerEntry] = []
    for short in moves:
        move, version = MOVES[short[:2]]
        made = LedgerEntry(move, version, "anna", "", RegistryState(), package=f"of {version}")
        sealed = made.after(entries[-1] if entries else None, NOW)
        key = {"!": KEY.private, "?": OTHER.private}.get(short[2:], "")
        entries.append(replace(sealed, signature=sign(key, *entry_said("made", sealed))))
    return entries


def shown(entries: list[LedgerEntry], alias: str, settled: bool = True) -> ShownRegistry:
    head = entries[-1] if entries else None
    mark = f"{head.number} {head.hash}" if head and settled else "1 before"
    return ShownRegistry({"champion": alias} if alias else {}, mark)


@pytest.mark.parametrize(
    ("moves", "alias", "version", "trouble"),
    [
        ((), "", "", ""),
        (("r1",), "", "", ""),
        (("r1",), "1", "", "the alias 'champion' on version 1 was set by hand"),
        (("r1", "p1"), "1", "1", ""),
        (("p1", "p2"), "2", "2", ""),
        (("p1", "p2", "b1"), "1", "1", ""),
        (("p1", "x2"), "1", "1", ""),  # found, recorded and put back
        (("p1",), "2", "1", "was moved to version 2 by hand, which serves nobody"),
        (("p1",), "", "1", "was moved away by hand"),
        (("p1", "00"), "", "", ""),  # another model by the same name
        (("p1", "00", "r1"), "1", "", "was set by hand"),
    ],
)
def test_the_newest_promotion_is_served(
    moves: tuple[str, ...], alias: str, version: str, trouble: str
) -> None:
    entries = ledger(*moves)
    found = pointed(entries, shown(entries, alias), "made", "", 0)
    assert found.version == version
    assert found.package == (f"of {version}" if version else "")
    assert trouble in found.trouble
    assert bool(found.trouble) == bool(trouble)
    assert entries[found.entry - 1].version == version if found.entry else not version


def test_a_move_that_the_registry_does_not_show_yet_is_no_hand() -> None:
    entries = ledger("p1", "p2")
    found = pointed(entries, shown(entries, "1", settled=False), "made", "", 0)
    assert (found.version, found.trouble) == ("2", "")


@pytest.mark.parametrize(
    ("moves", "version", "trouble"),
    [
        (("r1", "p1!"), "1", ""),
        (("r1!", "p1"), "", "Entry 2 of the ledger, which makes version 1 live, does not count: "),
        (("p1?",), "", "its signature is of another key"),
        (("p1!", "p2"), "", "it is not signed"),  # somebody without the key
        (("p1!", "p2", "b1!"), "1", ""),  # who has it went back
        (("p1", "s1!"), "1", ""),  # made before there was a key, and vouched for since
        (("p1", "s1?"), "", "it is not signed"),
        (("p2", "s1!"), "", "it is not signed"),  # of another version
        (("p1!", "00"), "", ""),
    ],
)
def test_with_a_key_only_what_it_signed_counts(
    moves: tuple[str, ...], version: str, trouble: str
) -> None:
    entries = ledger(*moves)
    found = pointed(entries, shown(entries, version), "made", KEY.public, 0)
    assert (found.version, trouble in found.trouble) == (version, True)
    assert bool(found.trouble) == bool(trouble)


def test_with_a_key_a_changed_a_foreign_or_a_cut_ledger_does_not_count() -> None:
    entries = ledger("p1!", "p2!")
    forged = [entries[0], replace(entries[1], version="1")]
    found = pointed(forged, shown(forged, "1"), "made", KEY.public, 0)
    assert (found.version, found.trouble) == (
        "",
        "The ledger is damaged: entry 2 was changed after it was written",
    )
    assert pointed(entries, shown(entries, "2"), "other", KEY.public, 0).version == ""
    old = pointed(entries[:1], shown(entries, "1"), "made", KEY.public, 2)
    assert (old.version, old.entry) == ("", 2)
    assert old.trouble == "The ledger goes back to entry 1, and entry 2 was followed"
