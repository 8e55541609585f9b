"""Reads whose files are removed meanwhile begin anew on the newest version, and mix no two."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from contract.names import TableName
from contract.store import sql, upkeep
from contract.store.sql import FilesRemoved
from contract.store.tables import Tables

ROWS = 10


class Forgetting(Tables):
    """Tables in which, after each of the first opens, all rows are replaced and the old files
    deleted, as `forget` does: before the reader gets to them."""

    left = 0

    def open(self, name: TableName, version: int | None = None) -> DeltaTable:
        opened = super().open(name, version)
        if self.left:
            object.__setattr__(self, "left", self.left - 1)
            replace(Tables(self.root, self.use_case), name)
        return opened


def replace(tables: Tables, name: TableName) -> None:
    generation = tables.version(name) + 1
    tables.overwrite(name, pa.table({"generation": [generation] * ROWS}))
    upkeep.vacuum(tables.open(name), timedelta(0), ())


@pytest.fixture
def tables(home: Path) -> Forgetting:
    found = Forgetting(str(home / "data"), "made")
    found.append("predictions", pa.table({"generation": [1] * ROWS}))
    return found


def removals(tables: Forgetting, number: int) -> None:
    object.__setattr__(tables, "left", number)


@pytest.mark.parametrize("number", range(sql.TRIES))
def test_a_read_answers_of_one_newest_version(tables: Forgetting, number: int) -> None:
    removals(tables, number)
    generations = tables.read("predictions").column("generation").to_pylist()
    assert len(generations) == ROWS
    (generation,) = set(generations)
    assert (generation == 1) == (number == 0)


def test_a_read_gives_up_after_three_tries_with_a_sentence(tables: Forgetting) -> None:
    removals(tables, sql.TRIES)
    with pytest.raises(FilesRemoved, match="forget or maintain; run again"):
        tables.read("predictions")


def test_a_named_version_is_never_answered_by_another(tables: Forgetting) -> None:
    replace(tables, "predictions")
    with pytest.raises(FilesRemoved, match="version 1"):
        tables.read("predictions", version=1)


def whole(tables: Tables, opened: DeltaTable) -> object:
    return tables.query("SELECT * FROM t", t=opened)


def parts(tables: Tables, opened: DeltaTable) -> object:
    return list(tables.stream("SELECT * FROM t", t=opened))


@pytest.mark.parametrize("read", [whole, parts])
def test_a_query_over_a_removed_version_names_it(
    tables: Forgetting, read: Callable[[Tables, DeltaTable], object]
) -> None:
    opened = tables.open("predictions")
    replace(tables, "predictions")
    with pytest.raises(FilesRemoved, match=r"predictions version 1"):
        read(tables, opened)
    assert read(tables, tables.open("predictions"))
