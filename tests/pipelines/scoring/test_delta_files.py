from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.scoring.delta_files import batches, facts, opened


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
