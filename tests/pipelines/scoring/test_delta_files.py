from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from contract.errors import Refused
from pipelines.scoring.delta_files import at_rows, batches, facts, newest_rows, opened


def test_files_are_found_whatever_signs_are_in_folders_and_partitions(tmp_path: Path) -> None:
    place = tmp_path / "50% of ü" / "a table"
    place.mkdir(parents=True)
    words = ["a b", "c/d", "50%", "ü", None]
    rows = pa.table({"word": pa.array(words, pa.string()), "x": [1, 2, 3, 4, 5]})
    write_deltalake(place, rows, partition_by=["word"])
    table, wanted = DeltaTable(place), pa.schema([("x", pa.int64()), ("word", pa.string())])
    found = list[pa.RecordBatch]()
    for fact in facts(table):
        with opened(table.table_uri, fact) as file:
            found += batches(file, [0], fact, wanted, 10)
    read = pa.Table.from_batches(found)
    assert read.sort_by("x").to_pydict() == {"x": [1, 2, 3, 4, 5], "word": words}


def test_the_rows_of_a_version_are_read_as_long_as_its_files_are_there(tmp_path: Path) -> None:
    """Upkeep makes versions that hold the same rows, and may take the files of older ones away."""
    address = str(tmp_path / "lake")
    for x in (1, 2):
        write_deltalake(address, pa.table({"x": [x]}), mode="append")
    DeltaTable(address).optimize.compact()
    table = DeltaTable(address)
    assert (newest_rows(table), table.version()) == (1, 2)
    assert at_rows(address, table, 1).version() == 1
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert at_rows(address, table, 1) is table  # the same rows
    table.create_checkpoint()
    for entry in (0, 1):
        (tmp_path / "lake/_delta_log" / f"{entry:020}.json").unlink()
    assert at_rows(address, table, 1) is table


def test_files_that_do_not_say_the_rows_alone_are_refused(tmp_path: Path) -> None:
    table = DeltaTable.create(
        tmp_path / "lake",
        pa.schema([("x", pa.int64())]),
        configuration={"delta.enableDeletionVectors": "true"},
    )
    with pytest.raises(Refused, match="lake/ uses deletionVectors, with which its files alone do"):
        facts(table)
