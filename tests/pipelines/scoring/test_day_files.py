"""Rows of many days enter a table in one commit, whatever their order, and are found again."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.predictions import PARTITION, predictions_schema
from contract.store.sql import answer
from pipelines.scoring.day_files import OPEN_DAYS, append_days
from pipelines.scoring.stage import staged

SCHEMA = predictions_schema({"size": "number", "colour": "string"}, {"id": "string"}, "string")
DAYS, N_ROWS = 3 * OPEN_DAYS + 5, 4_000


def made(n_rows: int, days: int, seed: int = 0) -> pa.Table:
    """Rows of as many days, in no order."""
    chance = np.random.default_rng(seed)
    begin = datetime(2024, 2, 20, tzinfo=UTC)
    minutes = chance.integers(0, days * 1440, n_rows)
    times = pa.array([begin + timedelta(minutes=int(m)) for m in minutes], SCHEMA.field(3).type)
    size = [None if value < 0.1 else value for value in chance.random(n_rows).tolist()]
    columns = {
        "prediction_id": [f"{seed}-{row}" for row in range(n_rows)],
        "row": range(n_rows),
        "event_time": times,
        PARTITION: times.cast(pa.date32()),
        "logged_time": pa.array([begin] * n_rows, times.type),
        "id": [f"k{row}" for row in range(n_rows)],
        "inputs": [{"size": s, "colour": None if s is None else "red"} for s in size],
        "prediction": chance.choice(["yes", "no"], n_rows),
        "flags": [["unseen:colour"] if s is None else [] for s in size],
        "probability": [[0.25, 0.75]] * n_rows,
    }
    arrays = [
        pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(n_rows, f.type)
        for f in SCHEMA
    ]
    return pa.table(arrays, schema=SCHEMA)


def added(folder: Path, rows: pa.Table, table: DeltaTable, mark: int = 7) -> int:
    with staged(folder, SCHEMA) as stage:
        for at in range(0, rows.num_rows, 500):
            stage.write(rows.slice(at, 500))
        return append_days(map, ExactlyOnceWriter(table), stage, SCHEMA, {"batch:one": mark})


@pytest.fixture
def table(tmp_path: Path) -> DeltaTable:
    return DeltaTable.create(str(tmp_path / "a table"), SCHEMA, partition_by=[PARTITION])


def test_every_row_stands_once_with_all_its_values(table: DeltaTable, tmp_path: Path) -> None:
    rows = made(N_ROWS, DAYS)
    assert added(tmp_path, rows, table) == 1
    read = DeltaTable(table.table_uri)
    found = read.to_pyarrow_table().select(SCHEMA.names).sort_by("row")
    assert found.cast(SCHEMA).equals(rows)
    assert len(read.file_uris()) == DAYS
    assert read.transaction_version("batch:one") == 7


def test_readers_find_rows_by_what_files_say_of_them(table: DeltaTable, tmp_path: Path) -> None:
    added(tmp_path, made(N_ROWS, DAYS), table)
    frame, read = made(N_ROWS, DAYS).to_pandas(), DeltaTable(table.table_uri)
    at, sizes = (
        datetime(2024, 3, 5, 7, 30, tzinfo=UTC),
        frame["inputs"].map(lambda row: row["size"]),
    )
    expected = {
        "prediction_id = '0-17'": 1,
        "prediction_id < '0-2'": int((frame["prediction_id"] < "0-2").sum()),
        "event_time < TIMESTAMP '2024-03-05T07:30:00Z'": int((frame["event_time"] < at).sum()),
        f"{PARTITION} = DATE '2024-02-29'": int((frame[PARTITION] == date(2024, 2, 29)).sum()),
        "inputs['size'] > 0.5": int((sizes.astype(float) > 0.5).sum()),
        "latency_ms IS NULL": N_ROWS,
        "logged_time > TIMESTAMP '2024-02-20T00:00:00Z'": 0,
    }
    counted = {
        where: answer(f"SELECT count(*) AS n FROM p WHERE {where}", {"p": read})["n"][0].as_py()
        for where in expected
    }
    assert counted == expected


def test_of_two_writers_of_one_mark_one_commits(table: DeltaTable, tmp_path: Path) -> None:
    other = DeltaTable(table.table_uri)
    added(tmp_path, made(50, 3), table)
    with pytest.raises(CommitFailedError):
        added(tmp_path, made(50, 3, seed=1), other)
    assert DeltaTable(table.table_uri).to_pyarrow_table().num_rows == 50


def test_a_table_of_older_columns_takes_the_rows_and_the_new_columns(tmp_path: Path) -> None:
    older = SCHEMA.remove(SCHEMA.get_field_index("source"))
    table = DeltaTable.create(str(tmp_path / "older"), older, partition_by=[PARTITION])
    added(tmp_path, made(100, 3), table)
    read = DeltaTable(table.table_uri).to_pyarrow_table()
    assert (read.num_rows, "source" in read.column_names) == (100, True)
