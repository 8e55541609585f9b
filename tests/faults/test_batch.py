"""A batch is killed at random moments and begun again: every row is answered and logged once."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from contract.store.sql import answer
from contract.store.tables import Tables
from pipelines.runtime.code_hash import PROJECT
from tests.support import batch
from tests.support.rounds import FULL, rounds

SCRIPT = [sys.executable, str(Path(__file__).with_name("answer_batch.py"))]
N_ROWS = 30_000
PATIENCE_S = 300


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package of a version that answers."""
    return batch.packaged(tmp_path_factory.mktemp("orders"))


def begin(folder: Path, source: Path, target: Path) -> "subprocess.Popen[str]":
    """A job in a process of its own, which has begun to answer."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [*SCRIPT, str(folder), str(source), str(target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout and process.stdout.readline() == "begun\n"
    return process


def end(process: "subprocess.Popen[str]") -> str:
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    return said


def ids_of(target: Path) -> list[str]:
    if target.suffix == ".parquet":
        rows: pa.Table = pq.read_table(target)
    else:
        rows = answer("SELECT prediction_id FROM t", {"t": DeltaTable(str(target))})
    found: list[str] = rows["prediction_id"].to_pylist()
    return found


@pytest.mark.parametrize("name", ["answers", "answers.parquet"] if FULL else ["answers"])
def test_killed_at_random_moments(orders: Path, home: Path, name: str) -> None:
    chance, target = random.Random(name), home / name
    tables = Tables(str(orders / "data"), "orders")
    took_s, gathered, known = 1.0, set[str](), set[str]()
    if tables.exists("predictions"):
        known = set(tables.read("predictions")["prediction_id"].to_pylist())
    for number in range(rounds(1, 20)):
        source = home / f"{number}.parquet"
        batch.rows(N_ROWS, first=number * N_ROWS).to_parquet(source, index=False)
        killed = begin(orders, source, target)
        time.sleep(chance.uniform(0, took_s))
        killed.kill()
        killed.communicate(timeout=PATIENCE_S)
        again = begin(orders, source, target)
        started = time.monotonic()
        end(again)
        took_s = time.monotonic() - started
        assert end(begin(orders, source, target)).strip() == "0"  # done: nothing changes
        logged = tables.read("predictions")["prediction_id"].to_pylist()
        fresh = set(logged) - known - gathered
        assert len(logged) == len(set(logged)) == len(known) + (number + 1) * N_ROWS
        gathered |= fresh
        told = ids_of(target)
        assert len(told) == len(set(told))
        assert set(told) == (fresh if target.suffix else gathered)
        assert [path.name for path in home.glob(".*")] == []
