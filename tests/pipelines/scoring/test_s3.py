"""Batch answers from S3 to S3, with the use case's tables there too; the store goes away once."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from contract.addresses import storage_options
from contract.store.sql import answer
from contract.store.tables import Tables
from pipelines.runtime.workspace import Workspace
from pipelines.score import score
from pipelines.scoring.pieces import Pinned
from pipelines.scoring.staging import beside, new_file, rows_of, swept
from pipelines.sources.files import SourceFile
from tests.support import batch
from tests.support.project import PROJECT
from tests.support.store import Store, running_store

N_ROWS = 10_100  # two parts
ROWS = "s3://tables/in/rows.parquet"


@pytest.fixture
def bucket(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with running_store(home / "bucket", monkeypatch) as store:
        store.files().create_dir("tables/in")
        with store.files().open_output_stream(ROWS.removeprefix("s3://")) as file:
            pq.write_table(pa.Table.from_pandas(batch.rows(N_ROWS)), file)
        yield store


@pytest.fixture
def orders(home: Path, bucket: Store, empty_store: Path) -> Workspace:
    folder = home / "made"
    folder.mkdir()
    batch.make_registry(folder, empty_store)
    shutil.copy(folder / "orders.yaml", home)
    workspace = batch.opened(folder)
    return dataclasses.replace(workspace, tables=Tables(bucket.root, "orders"))


def count(address: str) -> tuple[int, int]:
    """Rows and different ids of a Delta table."""
    table = DeltaTable(address, storage_options=storage_options(address))
    sql = "SELECT count(*) AS n, count(DISTINCT prediction_id) AS ids FROM t"
    (found,) = answer(sql, {"t": table}).to_pylist()
    return found["n"], found["ids"]


def test_every_target_of_s3_holds_each_row_once(orders: Workspace, bucket: Store) -> None:
    files = bucket.files()
    lake = "s3://tables/out/lake"
    done = score(orders, ROWS, lake, log=True).result
    assert (done.rows, done.logged, count(lake)) == (N_ROWS, N_ROWS, (N_ROWS, N_ROWS))
    assert count(orders.tables.uri("predictions")) == (N_ROWS, N_ROWS)
    again = score(orders, ROWS, lake, log=True).result
    assert (again.again, count(lake)) == (True, (N_ROWS, N_ROWS))
    for target, path in (
        ("s3://tables/out/a b.parquet", "tables/out/a b.parquet"),
        ("s3://tables/out/folder/", f"tables/out/folder/{done.job}.parquet"),
    ):
        assert score(orders, ROWS, target).result.rows == N_ROWS
        read = pq.read_table(files.open_input_file(path))
        assert len(set(read.column("prediction_id").to_pylist())) == N_ROWS


def test_a_table_of_s3_is_a_source(orders: Workspace, home: Path) -> None:
    lake = "s3://tables/in/lake"
    rows = pa.Table.from_pandas(batch.rows(70))
    write_deltalake(lake, rows, storage_options=storage_options(lake))
    orders.tables.append("raw", rows)
    for source in (lake, "raw"):
        assert score(orders, source, f"{source[:3]}.csv").result.rows == 70
    assert (home / "raw.csv").is_file()


def test_an_object_of_the_same_size_is_another_one(bucket: Store, home: Path) -> None:
    place = "s3://tables/in/word.csv"
    tags = set()
    for word in (b"kind\na\n", b"kind\nb\n", b"kind\na\n"):
        with bucket.files().open_output_stream(place.removeprefix("s3://")) as file:
            file.write(word)
        pinned = Pinned.now(SourceFile(place, {}), "csv")
        tags.add((pinned.size, pinned.tag))
    assert len(tags) == 2  # its time has whole seconds


def test_a_store_that_is_away_is_said_and_the_job_goes_on(
    orders: Workspace, bucket: Store, home: Path
) -> None:
    lake = "s3://tables/out/lake"
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{home}/made/mlflow.db",
        "FOURCYCLE_ROOT": bucket.root,
    }
    command = [sys.executable, "-m", "pipelines.score", "--use-case", str(home / "orders.yaml")]
    command += ["--source", ROWS, "--target", lake, "--log", "yes"]
    bucket.kill()
    away = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert away.returncode == 3, away.stderr
    assert "The store of the tables stopped answering" in away.stderr
    assert "Traceback" not in away.stderr
    bucket.start()
    assert score(orders, ROWS, lake, log=True).result.logged == N_ROWS
    assert count(lake) == (N_ROWS, N_ROWS)


def test_what_a_run_stages_in_s3_is_swept(bucket: Store) -> None:
    rows, run = pa.table({"x": [1, 2]}), beside("s3://tables/out/answers", "job", 7)
    with swept(run):
        with new_file(f"{run}/000001.parquet", rows.schema) as writer:
            writer.write_table(rows)
        assert pa.concat_tables(rows_of(f"{run}/000001.parquet")).equals(rows)
    selector = pyarrow.fs.FileSelector("tables", recursive=True)
    left = [info.path for info in bucket.files().get_file_info(selector)]
    assert not [path for path in left if ".pieces" in path]
