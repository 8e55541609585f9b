"""Rows that wait are added to a table in one commit, or it is said why not."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from contract.errors import Refused, Unavailable
from contract.store.exactly_once import ExactlyOnceWriter
from pipelines.scoring.stage import Append, Stage, append_rows, commit_once, staged
from pipelines.scoring.staging import new_file

SCHEMA = pa.schema([("id", pa.int64()), ("size", pa.float64())])
ROWS = pa.table({"id": [1, 2], "size": [0.5, None]}, schema=SCHEMA)


def committed(folder: Path, append: Append = append_rows) -> bool:
    def opened() -> ExactlyOnceWriter:
        DeltaTable.create(f"{folder}/lake", SCHEMA, mode="ignore")
        return ExactlyOnceWriter(DeltaTable(f"{folder}/lake"))

    with staged(folder, SCHEMA) as stage:
        stage.write(ROWS)
        return commit_once(opened, "one", 7, stage, append)


def there(folder: Path) -> pa.Table:
    return DeltaTable(f"{folder}/lake").to_pyarrow_table()


def test_a_job_is_committed_once(tmp_path: Path) -> None:
    assert [committed(tmp_path), committed(tmp_path)] == [True, False]
    assert there(tmp_path).sort_by("id").equals(ROWS)


def test_a_commit_that_fails_is_run_again_unless_it_happened_all_the_same(tmp_path: Path) -> None:
    def before(
        intake: ExactlyOnceWriter, stage: Stage, wanted: pa.Schema, upto: Mapping[str, int]
    ) -> int:
        raise CommitFailedError("the store went away")

    def after(
        intake: ExactlyOnceWriter, stage: Stage, wanted: pa.Schema, upto: Mapping[str, int]
    ) -> int:
        append_rows(intake, stage, wanted, upto)
        raise OSError("no answer came")

    with pytest.raises(Unavailable, match=r"commit of job one .*run it again: the store went away"):
        committed(tmp_path, before)
    assert there(tmp_path).num_rows == 0
    assert committed(tmp_path, after)
    assert there(tmp_path).num_rows == ROWS.num_rows


def test_a_table_whose_columns_are_of_other_types_is_refused(tmp_path: Path) -> None:
    other = pa.schema([("id", pa.int64()), ("size", pa.timestamp("us", "UTC"))])
    DeltaTable.create(f"{tmp_path}/lake", other)
    with pytest.raises(Refused, match="lake/ holds a column of another type than the answers have"):
        committed(tmp_path)


def test_files_are_taken_as_they_are(tmp_path: Path) -> None:
    DeltaTable.create(f"{tmp_path}/lake", SCHEMA)
    with staged(tmp_path, SCHEMA) as stage:
        for number in (1, 2):
            with new_file(f"{tmp_path}/{number}.parquet", SCHEMA) as writer:
                writer.write_table(ROWS.slice(number - 1, 1))
            stage.take(f"{tmp_path}/{number}.parquet")
        assert commit_once(
            lambda: ExactlyOnceWriter(DeltaTable(f"{tmp_path}/lake")), "one", 7, stage
        )
    assert there(tmp_path).sort_by("id").equals(ROWS)
