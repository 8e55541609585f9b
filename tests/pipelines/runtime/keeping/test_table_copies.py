"""Tables copied at a version: what is pinned, what is copied, and that the copy reads the same."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contract.store import upkeep
from contract.store.tables import Tables
from pipelines.runtime.keeping.places import Place
from pipelines.runtime.keeping.table_copies import files_of, pinned


@pytest.fixture
def tables(home: Path) -> Tables:
    return Tables(str(home / "data"), "made")


def move_of(number: int, version: str) -> pa.Table:
    return pa.table({"number": [number], "version": [version]})


# The entry that the registry shows, the versions that it holds, the entries of the copied ledger.
LEDGERS = [
    (4, "12", 4),  # nothing moves
    (3, "12", 4),  # a move is under way: it is finished later
    (3, "1", 3),  # the next one is about a version that came after the database was copied
    (2, "1", 2),  # so are the next two
    (2, "12", 3),  # of moves that came after, one may have been under way
    (0, "", 0),
]


@pytest.mark.parametrize(("mark", "versions", "entries"), LEDGERS)
def test_the_ledger_is_pinned_to_the_registry(
    tables: Tables, mark: int, versions: str, entries: int
) -> None:
    for number, version in enumerate("1122", start=1):
        assert tables.append_next("ledger", move_of(number, version), number)
    at = pinned(tables, "ledger", mark, set(versions))
    assert tables.open("ledger", at).count() == entries


def copied(tables: Tables, at: int, home: Path, skip: Sequence[str] = ()) -> Tables:
    """Copy the table `raw` at a version; its copy."""
    source = Place.of(tables.uri("raw"))
    copy = Tables(str(home / "copy"), "made")
    target = Place.of(copy.uri("raw"))
    for name, needed in files_of(source, tables.open("raw", at)):
        try:
            target.take(name, source, name)
        except FileNotFoundError:
            assert not needed
    return copy


def test_a_copy_holds_its_version_and_those_before_and_no_later_one(
    tables: Tables, home: Path
) -> None:
    for n in range(4):
        tables.append("raw", pa.table({"n": [n], "day": [f"2026 0{n}/{n}"]}))
    copy = copied(tables, 3, home)
    assert [copy.open("raw", v).count() for v in range(4)] == [0, 1, 2, 3]
    assert copy.version("raw") == 3
    assert len(list((home / "copy").rglob("*.parquet"))) == 3


def test_replaced_files_that_are_gone_are_no_part_of_it(tables: Tables, home: Path) -> None:
    for n in range(2):
        tables.overwrite("raw", pa.table({"n": [n]}))
    upkeep.vacuum(tables.open("raw"), timedelta(0), ())
    newest = int(tables.open("raw").version())
    assert copied(tables, newest, home).read("raw").to_pylist() == [{"n": 1}]


def test_a_check_point_is_copied_with_what_it_stands_for(tables: Tables, home: Path) -> None:
    for n in range(3):
        tables.append("raw", pa.table({"n": [n]}))
    tables.open("raw").create_checkpoint()
    tables.append("raw", pa.table({"n": [3]}))
    for first in sorted((home / "data/made/raw/_delta_log").glob("*.json"))[:2]:
        first.unlink()  # as the end of a log's retention does
    assert copied(tables, 4, home).read("raw").num_rows == 4
