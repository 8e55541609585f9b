"""Where answers go: what an address stands for, and what a target does with rows and leftovers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from contract.errors import BadInput
from pipelines.scoring.staging import new_file
from pipelines.scoring.targets import address_of, target_of

ROWS = pa.table({"id": [1, 2], "size": [0.5, 1.5]})


def test_a_folder_that_is_there_needs_no_slash(home: Path) -> None:
    (home / "answers").mkdir()
    assert address_of("answers") == address_of("answers/") == f"{home}/answers/"
    assert address_of("lake") == f"{home}/lake"
    with pytest.raises(BadInput, match=r"target: a .* or a Delta table is needed, found none"):
        address_of("")


@pytest.mark.parametrize("name", ["answers.parquet", "lake"])
def test_rows_and_staged_files_are_taken_alike(home: Path, name: str) -> None:
    with new_file(f"{home}/staged.parquet", ROWS.schema) as writer:
        writer.write_table(ROWS.slice(1))
    target = target_of(address_of(name), "job")
    with target.writing("job", 7, ROWS.schema, home) as writing:
        if name == "answers.parquet":
            writing.write(ROWS.slice(0, 1))
        writing.take(f"{home}/staged.parquet")
        writing.publish()
    if name == "lake":  # either an engine's files or its rows
        assert DeltaTable(f"{home}/lake").to_pyarrow_table().equals(ROWS.slice(1))
    else:
        assert pq.read_table(home / name).equals(ROWS)
        assert [path.name for path in home.iterdir()] == [name]  # what was taken is gone


def test_what_a_killed_job_left_goes_and_the_answers_stay(home: Path) -> None:
    (home / ".answers.csv.4711.part").touch()
    (home / ".other.csv.4711.part").touch()
    (home / "answers.csv").write_text("id,size\n")
    target = target_of(address_of("answers.csv"), "job")
    with target.writing("job", 7, ROWS.schema, home):
        pass
    assert sorted(path.name for path in home.iterdir()) == [".other.csv.4711.part", "answers.csv"]
    target.clear()
    target.clear()
    assert not (home / "answers.csv").exists()
