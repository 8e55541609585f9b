from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from contract.errors import Unavailable
from contract.store.tables import Tables
from pipelines.data.retention import ATTEMPTS, until_committed


def test_a_change_that_another_writer_came_before_is_made_again(tmp_path: Path) -> None:
    tables = Tables(str(tmp_path), "made")
    tables.append("feedback", pa.table({"n": [1, 2]}))
    looked_at: list[DeltaTable] = [tables.open("feedback")]
    tables.overwrite("feedback", pa.table({"n": [1, 2, 3]}))

    def change() -> int:
        table = looked_at.pop() if looked_at else tables.open("feedback")
        return int(table.delete("n = 1")["num_deleted_rows"])

    assert until_committed("feedback", change) == 1
    assert sorted(tables.read("feedback").column("n").to_pylist()) == [2, 3]


def test_a_table_that_is_changed_all_the_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.data.retention.PAUSE_S", 0.001)
    attempts = []

    def change() -> None:
        attempts.append(1)
        raise CommitFailedError("another writer was first")

    with pytest.raises(Unavailable, match=f"'feedback' changed {ATTEMPTS} times"):
        until_committed("feedback", change)
    assert len(attempts) == ATTEMPTS
