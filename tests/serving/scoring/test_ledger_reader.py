"""What a poll of the ledger reads: what is new, whatever its length, and all where it must."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.store.ledger import (
    LedgerEntry,
    RegistryState,
    ShownRegistry,
    append_entry,
    entry_hash,
)
from contract.store.tables import Tables
from serving.scoring.pointer import LedgerReader
from tests.support.keys import key_pair

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def promoted(tables: Tables, before: list[LedgerEntry], version: str) -> list[LedgerEntry]:
    """The entries, and one more that stands in the table too."""
    made = LedgerEntry("promote", version, "anna", "better", RegistryState(champion=version))
    entry = made.after(before[-1] if before else None, NOW)
    assert append_entry(tables, entry)
    return [*before, entry]


def shown(entries: list[LedgerEntry]) -> ShownRegistry:
    return ShownRegistry({"champion": entries[-1].version}, entries[-1].mark)


def forget_files(tables: Tables) -> None:
    """Take away all rows but the newest, and leave the log: who needs one of them fails."""
    files = Path(tables.uri("ledger")).glob("*.parquet")
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)[:-1]:
        file.unlink()


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home / "data"), "made")


def test_a_poll_reads_only_what_is_new(tables: Tables) -> None:
    reader = LedgerReader(tables, "made")
    assert reader(ShownRegistry(), 0).version == ""  # there is none yet
    entries = promoted(tables, promoted(tables, [], "1"), "2")
    assert reader(shown(entries), 0).version == "2"
    forget_files(tables)
    assert reader(shown(entries), 2).version == "2"
    entries = promoted(tables, entries, "3")
    assert reader(shown(entries[:2]), 2).version == "3"  # the registry does not show it yet
    assert reader(shown(entries), 3).version == "3"


def test_another_ledger_in_its_place_is_read_whole(tables: Tables, home: Path) -> None:
    reader = LedgerReader(tables, "made")
    entries = promoted(tables, promoted(tables, [], "1"), "2")
    assert reader(shown(entries), 0).version == "2"
    restored = Tables(str(home / "backup"), "made")
    others = promoted(restored, promoted(restored, [], "1"), "7")
    shutil.rmtree(tables.uri("ledger"))
    shutil.copytree(restored.uri("ledger"), tables.uri("ledger"))
    assert reader(shown(others), 0).version == "7"


def test_a_ledger_that_vanishes_names_nothing_and_is_read_again_when_it_is_back(
    tables: Tables, home: Path
) -> None:
    reader = LedgerReader(tables, "made")
    entries = promoted(tables, [], "1")
    assert reader(shown(entries), 0).version == "1"
    away = Path(tables.uri("ledger")).rename(home / "away")
    assert reader(shown(entries), 1).version == ""
    away.rename(tables.uri("ledger"))
    assert reader(shown(entries), 1).version == "1"


def test_a_ledger_that_can_not_be_read_is_an_error_until_it_can(tables: Tables) -> None:
    reader = LedgerReader(tables, "made")
    entries = promoted(tables, promoted(tables, [], "1"), "2")
    assert reader(shown(entries), 0).version == "2"
    entries = promoted(tables, entries, "3")
    newest = max((Path(tables.uri("ledger")) / "_delta_log").glob("*.json"))
    whole = newest.read_bytes()
    newest.write_bytes(b"{")
    with pytest.raises(Exception, match=r"(?i)json"):
        reader(shown(entries), 2)
    newest.write_bytes(whole)
    assert reader(shown(entries), 2).version == "3"


def test_an_entry_that_does_not_follow_what_is_known_is_found_damaged(tables: Tables) -> None:
    keys = key_pair()
    reader = LedgerReader(tables, "made", keys.public)
    entries = promoted(tables, [], "1")
    reader(shown(entries), 0)
    forged = replace(entries[0].after(entries[0], NOW), previous_hash="of another ledger")
    assert append_entry(tables, replace(forged, hash=entry_hash(forged)))
    assert "entry 2 does not follow" in reader(shown(entries), 0).trouble
