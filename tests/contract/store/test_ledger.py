"""What the ledger says of versions, entry by entry, and that no entry can be other than it was."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import Refused
from contract.names import CHALLENGER, CHAMPION, PREVIOUS
from contract.store.ledger import (
    ASKED,
    FORMAT,
    SCHEMA,
    LedgerEntry,
    Move,
    RegistryState,
    ShownRegistry,
    append_entry,
    broken_link,
    champion_at,
    entry_hash,
    entry_said,
    ever_champion,
    moved_by_hand,
    read_entries,
    read_entries_after,
    registered_by,
    since_reset,
    state_after,
    taken_out,
    to_serve,
    vouched_by,
)
from contract.store.tables import Tables

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
Said = tuple[Move, str, RegistryState]


def chained(*said: Said) -> list[LedgerEntry]:
    """Entries that follow each other, one each hour from noon on."""
    entries: list[LedgerEntry] = []
    for hour, (move, version, state) in enumerate(said):
        made = LedgerEntry(move, version, "anna", "why", state, effects=(f"{version} moved",))
        before = entries[-1] if entries else None
        entries.append(made.after(before, NOON + timedelta(hours=hour)))
    return entries


def a_story() -> list[LedgerEntry]:
    """Three versions: the first two promoted, the second rolled back, the third rejected."""
    return chained(
        ("register", "1", RegistryState(challenger="1")),
        ("promote", "1", RegistryState("1")),
        ("register", "2", RegistryState("1", "2")),
        ("promote", "2", RegistryState("2", "", ("1",))),
        ("sign", "2", RegistryState("2", "", ("1",))),
        ("register", "3", RegistryState("2", "3", ("1",))),
        ("reject", "3", RegistryState("2", "", ("1",), ("3",))),
        ("rollback", "1", RegistryState("1", "", (), ("3", "2"))),
        ("sign", "1", RegistryState("1", "", (), ("3", "2"))),
    )


def test_a_state_names_what_a_rollback_goes_back_to_and_the_alias_of_each() -> None:
    assert RegistryState("3", "4", ("1", "2")).aliases == {
        CHAMPION: "3",
        CHALLENGER: "4",
        PREVIOUS: "2",
    }
    assert RegistryState().aliases == {CHAMPION: "", CHALLENGER: "", PREVIOUS: ""}


def test_the_story_is_told() -> None:
    entries = a_story()
    assert [entry.number for entry in entries] == list(range(1, 10))
    assert broken_link(entries) == broken_link([]) == ""
    assert state_after(entries) == entries[-1].state
    assert state_after([]) == RegistryState()
    assert ever_champion(entries) == {"1", "2"}
    served = to_serve(entries)
    assert served == entries[7]
    assert vouched_by(entries, served) == (entries[7], entries[8])
    assert vouched_by(entries, entries[3]) == (entries[3], entries[4])
    assert to_serve(entries[:1]) is None
    assert registered_by(entries, "2") == entries[2]
    assert registered_by(entries, "4") is None


@pytest.mark.parametrize(
    ("hours", "champion"),
    [(-1, ""), (0, ""), (0.99, ""), (1, "1"), (2.99, "1"), (3, "2"), (6.99, "2"), (7, "1")],
)
def test_the_champion_at_a_time_is_that_of_the_newest_entry_until_then(
    hours: float, champion: str
) -> None:
    assert champion_at(a_story(), NOON + timedelta(hours=hours)) == champion


def test_who_is_taken_out_and_by_which_entry() -> None:
    entries = a_story()
    assert taken_out(entries) == {"1": entries[3], "2": entries[7], "3": entries[6]}
    assert taken_out(entries[:3]) == {}
    # A version that is gone from both places, though no move names it, is out by that entry.
    lost = [*entries[:3], *chained(("external", "1", RegistryState("1")))]
    assert taken_out(lost) == {"2": lost[3]}
    # What never was champion or challenger may be rejected all the same.
    never = chained(("reject", "5", RegistryState("1", barred=("5",))))
    assert taken_out(never) == {"5": never[0]}


def test_a_new_registered_model_begins_anew() -> None:
    entries = chained(
        ("register", "1", RegistryState(challenger="1")),
        ("promote", "1", RegistryState("1")),
        ("reset", "", RegistryState()),
        ("register", "1", RegistryState(challenger="1")),
    )
    assert since_reset(entries) == entries[2:]
    assert since_reset(entries[:2]) == entries[:2]
    assert to_serve(entries) is None
    assert to_serve(entries[:2]) == entries[1]
    assert registered_by(entries, "1") == entries[3]
    assert ever_champion(entries) == set()


RIGHT = RegistryState("2", "", ("1",)).aliases


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        ({CHAMPION: "2", PREVIOUS: "1"}, ""),
        ({CHAMPION: "2", PREVIOUS: "1", "mine": "7"}, ""),
        ({CHAMPION: "3", PREVIOUS: "1"}, "to version 3 by hand.*ledger says version 2"),
        ({PREVIOUS: "1"}, "'champion' was moved away by hand.*ledger says version 2"),
        ({CHAMPION: "2", CHALLENGER: "3", PREVIOUS: "1"}, "'challenger'.* says none"),
        ({CHAMPION: "2"}, "'previous' was moved away by hand.*ledger says version 1"),
    ],
)
def test_an_alias_that_hands_moved_is_named(aliases: dict[str, str], said: str) -> None:
    entries = a_story()[:5]
    found = moved_by_hand(entries, ShownRegistry(aliases, entries[-1].mark), RIGHT)
    assert re.search(said, found) if said else found == ""
    # What the registry does not show yet is about to move.
    assert moved_by_hand(entries, ShownRegistry(aliases, entries[-2].mark), RIGHT) == ""
    assert moved_by_hand([], ShownRegistry(aliases), RIGHT) == ""


@pytest.mark.parametrize("move", [*ASKED, "external", "reset"])
@pytest.mark.parametrize(
    ("proven", "note", "by"),
    [(False, "", "anna (unproven)"), (True, "", "anna"), (True, "bob", "anna (who says: bob)")],
)
def test_who_acted_is_said_with_what_proves_it(
    move: Move, proven: bool, note: str, by: str
) -> None:
    entry = LedgerEntry(move, "1", "anna", "why", RegistryState(), proven=proven, note=note)
    assert entry.by == (by if move in ASKED else "anna")
    assert replace(entry, format=1).by == "anna"


# The chain


OTHER: dict[str, Any] = {
    "move": "sign",
    "version": "9",
    "from_stage": "None",
    "to_stage": "Production",
    "who": "eve",
    "why": "because",
    "expected": "9",
    "gate_run": "g",
    "data_version": "7",
    "release_check": "r",
    "effects": ("9 moved",),
    "champion": "9",
    "challenger": "9",
    "former": ("9",),
    "barred": ("9",),
    "host": "h",
    "proven": True,
    "note": "n",
    "package": "p",
    "previous_hash": "x",
    "time": NOON,
}


def changed(entry: LedgerEntry, name: str, value: Any) -> LedgerEntry:
    if name in ("champion", "challenger", "former", "barred"):
        return replace(entry, state=replace(entry.state, **{name: value}))
    return replace(entry, **{name: value})


def test_every_column_of_an_entry_is_tried() -> None:
    assert {*OTHER, "format", "number", "hash", "signature"} == {*SCHEMA.names}


@given(st.sampled_from([*OTHER]), st.integers(0, 8))
def test_an_entry_that_was_changed_is_found(name: str, at: int) -> None:
    entries = a_story()
    other = changed(entries[at], name, OTHER[name])
    if other == entries[at]:
        return
    entries[at] = other
    assert broken_link(entries) == f"entry {at + 1} was changed after it was written"
    entries[at] = replace(other, hash=entry_hash(other))  # sealed again: the next one tells
    found = broken_link(entries)
    if name == "previous_hash":
        assert found == f"entry {at + 1} does not follow the entry before it"
    elif at < len(entries) - 1:
        assert found == f"entry {at + 2} does not follow the entry before it"


@given(st.integers(0, 7))
def test_an_entry_that_is_missing_is_found(at: int) -> None:
    entries = a_story()
    del entries[at]
    assert broken_link(entries) == (
        f"entry {at + 1} is missing; entry {at + 2} stands in its place"
    )


def test_what_was_verified_before_is_not_hashed_again_unless_it_changed() -> None:
    entries = a_story()
    spoilt = [replace(entries[0], why="another"), *entries[1:]]
    assert broken_link(spoilt, spoilt[:1]) == ""  # whoever holds it has verified it
    assert broken_link(spoilt, entries[:1]) == "entry 1 was changed after it was written"
    assert broken_link(entries, entries) == ""
    assert broken_link(entries[:2], entries) == ""
    cut = [*entries[:2], *entries[3:]]
    assert broken_link(cut, entries[:2]) == "entry 3 is missing; entry 4 stands in its place"
    last = replace(entries[-1], previous_hash="x")
    last = replace(last, hash=entry_hash(last))
    said = broken_link([*entries[:-1], last], entries[:-1])
    assert said == "entry 9 does not follow the entry before it"


def test_a_signature_is_of_one_entry_of_one_model_and_no_part_of_its_hash() -> None:
    first, second = a_story()[:2]
    assert entry_hash(replace(first, signature="s")) == first.hash
    said = {entry_said(m, e) for m in ("made", "other") for e in (first, second)}
    assert len(said) == 4


def test_an_entry_of_the_format_before_is_sealed_without_what_it_did_not_say() -> None:
    old = replace(a_story()[0], format=1)
    sealed = replace(old, hash=entry_hash(old))
    told = replace(sealed, proven=True, note="n", package="p")
    assert entry_hash(told) == sealed.hash != a_story()[0].hash
    row = {k: v for k, v in sealed.row().items() if k not in ("proven", "note", "package")}
    assert LedgerEntry.of(row | {"proven": None}) == sealed


def test_an_entry_of_a_newer_format_is_refused() -> None:
    row = a_story()[1].row()
    with pytest.raises(Refused, match=r"entry 2 has format 3 .* reads up to 2"):
        LedgerEntry.of(row | {"format": FORMAT + 1})
    with pytest.raises(Refused, match="format 0"):
        LedgerEntry.of(row | {"format": 0})


# The table


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home / "data"), "made")


def test_what_is_appended_is_read_as_it_was(tables: Tables) -> None:
    entries = a_story()
    assert read_entries(tables) == []
    assert read_entries_after(tables, entries[:1]) == []
    assert all(append_entry(tables, entry) for entry in entries[:3])
    assert not append_entry(tables, replace(entries[2], why="another third"))
    assert read_entries(tables) == entries[:3]
    assert all(append_entry(tables, entry) for entry in entries[3:])
    for known in range(10):
        assert read_entries_after(tables, entries[:known]) == entries
    # What stands there does not go on from what is held: it is read anew.
    strange = [replace(entries[0], hash="of another ledger")]
    assert read_entries_after(tables, strange) == entries
    longer = [*entries, replace(entries[-1], number=10)]
    assert read_entries_after(tables, longer) == entries
