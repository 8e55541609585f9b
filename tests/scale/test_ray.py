"""Batch answers of a real Ray cluster of two nodes, from S3 and to S3: whatever is killed, every
row is answered once, as one machine answers it. `make scale` brings Ray."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyarrow import fs

from contract.addresses import storage_options
from contract.store.sql import answer
from pipelines.scoring.targets import FileTarget
from tests.faults import answer_batch
from tests.support import batch
from tests.support.cluster import Cluster, running_cluster
from tests.support.store import Store, running_store

pytest.importorskip("ray", reason="Ray is installed apart: make scale")

N_ROWS = int(os.environ.get("FOURCYCLE_SCALE_ROWS", "10000000"))
N_FILES = 20
PATIENCE_S = 3600
ROWS, LAKE, LOG = (
    "s3://rows/in",
    "s3://tables/out/lake",
    "s3://tables/fourcycle/orders/predictions",
)
N_COUNTED = N_FILES * (N_ROWS // N_FILES)


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of a version that answers."""
    return batch.packaged(tmp_path_factory.mktemp("orders"))


@pytest.fixture(scope="module")
def bucket(
    place: Path, tmp_path_factory: pytest.TempPathFactory, patch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """A store that holds the rows, in files of which each is a piece or some."""
    with running_store(tmp_path_factory.mktemp("s3") / "bucket", patch, 1024) as store:
        store.files().create_dir("rows")
        for number in range(N_FILES):
            rows = batch.rows(N_ROWS // N_FILES, first=number * (N_ROWS // N_FILES))
            path = f"{ROWS.removeprefix('s3://')}/{number:02d}.parquet"
            with store.files().open_output_stream(path) as file:
                pq.write_table(pa.Table.from_pandas(rows), file, row_group_size=100_000)
        yield store


@pytest.fixture(scope="module")
def cluster(bucket: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.getbasetemp().parent / "ray") as found:
        yield found


@pytest.fixture
def emptied(bucket: Store, home: Path) -> None:
    """No answers, and no memory of a job on this host; a bucket that goes gives its room back."""
    bucket.files().delete_dir("tables")
    bucket.files().create_dir("tables")


class Driver:
    """A process that asks, on a host of its own: what a host knows lies in its home."""

    def __init__(self, cluster: Cluster, place: Path, host: Path, engine: str, target: str) -> None:
        host.mkdir(exist_ok=True)
        environment = os.environ | cluster.environment | {"HOME": str(host)}
        command = [sys.executable, answer_batch.__file__, str(place), ROWS, target]
        command += ["s3://tables/fourcycle", engine]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self) -> int:
        """How many rows it logged."""
        said, wrong = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, wrong
        return int(said.split()[-1])

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE_S)


Begin = Callable[..., Driver]


@pytest.fixture
def begin(cluster: Cluster, place: Path, home: Path, emptied: None) -> Iterator[Begin]:
    drivers = list[Driver]()

    def started(engine: str = "ray", host: str = "one", target: str = LAKE) -> Driver:
        drivers.append(Driver(cluster, place, home / host, engine, target))
        return drivers[-1]

    yield started
    for driver in drivers:
        driver.process.kill()


def wait_for(what: Callable[[], bool], pause_s: float = 0.2) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(pause_s)


def is_table(address: str) -> bool:
    return bool(DeltaTable.is_deltatable(address, storage_options(address)))


def opened(address: str) -> DeltaTable:
    return DeltaTable(address, storage_options=storage_options(address))


def commits(address: str) -> int:
    """How many commits brought rows."""
    return sum(e["operation"] == "WRITE" for e in opened(address).history())


def once(address: str) -> None:
    """Every row stands in a table once, of one job, by one commit."""
    sql = (
        "SELECT count(*) AS n, count(DISTINCT prediction_id) AS ids, count(DISTINCT id) AS keys "
        "FROM t"
    )
    (found,) = answer(sql, {"t": opened(address)}).to_pylist()
    assert found == {"n": N_COUNTED, "ids": N_COUNTED, "keys": N_COUNTED}
    assert commits(address) == 1


def same_ids() -> None:
    """What the log calls an answer is what the target calls it."""
    ids = [
        answer("SELECT prediction_id AS i FROM t ORDER BY id", {"t": opened(at)})["i"]
        for at in (LAKE, LOG)
    ]
    assert pc.all(pc.equal(*ids)).as_py()


def nothing_is_left(bucket: Store) -> None:
    selector = fs.FileSelector("tables/out", allow_not_found=True, recursive=True)
    names = [info.path for info in bucket.files().get_file_info(selector) if info.is_file]
    assert [name for name in names if ".pieces" in name] == []


def test_both_engines_write_the_same_file(begin: Begin, bucket: Store) -> None:
    contents = []
    for engine, target in (
        ("local", "s3://tables/out/a.parquet"),
        ("ray", "s3://tables/out/b.parquet"),
    ):
        begin(engine, target=target).end()
        contents.append(pq.read_table(bucket.files().open_input_file(target.removeprefix("s3://"))))
    assert contents[0].equals(contents[1])
    assert contents[0].num_rows == N_COUNTED
    once(LOG)
    nothing_is_left(bucket)


def test_a_worker_that_is_killed_is_replaced(begin: Begin, cluster: Cluster, bucket: Store) -> None:
    driver, killed = begin(), 0
    while driver.process.poll() is None and killed < 3:
        for worker in cluster.workers()[:1]:
            worker.kill()
            killed += 1
        time.sleep(random.Random(killed).uniform(0.5, 2))
    assert killed
    assert driver.end() == N_COUNTED
    for table in (LAKE, LOG):
        once(table)
    same_ids()
    nothing_is_left(bucket)


def test_a_node_that_is_killed_is_done_without(
    begin: Begin, cluster: Cluster, bucket: Store
) -> None:
    driver = begin()
    wait_for(lambda: len(cluster.workers()) > 1 or driver.process.poll() is not None)
    cluster.kill_second()
    assert driver.end() == N_COUNTED
    for table in (LAKE, LOG):
        once(table)
    same_ids()
    nothing_is_left(bucket)
    cluster.second()


@pytest.mark.parametrize("moment", ["at work", "logged", "committed"])
def test_a_driver_that_is_killed_is_followed_by_another(
    begin: Begin, cluster: Cluster, bucket: Store, moment: str
) -> None:
    moments: dict[str, Callable[[], bool]] = {
        "at work": lambda: bool(cluster.workers()),
        "logged": lambda: is_table(LOG) and commits(LOG) > 0,
        "committed": lambda: is_table(LAKE) and commits(LAKE) > 0,
    }
    driver = begin()
    wait_for(lambda: moments[moment]() or driver.process.poll() is not None, 0.02)
    driver.kill()
    begin().end()
    assert begin().end() == 0  # done: nothing changes
    for table in (LAKE, LOG):
        once(table)
    same_ids()
    nothing_is_left(bucket)


def test_two_hosts_that_do_one_job_commit_it_once(begin: Begin, bucket: Store) -> None:
    drivers = [begin(host=host) for host in ("one", "two")]
    for driver in drivers:
        driver.process.communicate(timeout=PATIENCE_S)
    begin().end()  # whoever came second says so and leaves the rest to the first
    for table in (LAKE, LOG):
        once(table)
    same_ids()
    nothing_is_left(bucket)


def test_ctrl_c_leaves_nothing_half_written(begin: Begin, cluster: Cluster, bucket: Store) -> None:
    driver = begin(target="s3://tables/out/answers/")
    wait_for(lambda: bool(cluster.workers()) or driver.process.poll() is not None)
    driver.process.send_signal(signal.SIGINT)
    driver.process.communicate(timeout=PATIENCE_S)
    assert driver.process.returncode != 0
    assert not is_table(LOG)
    assert not FileTarget("s3://tables/out/answers/").standing()
    nothing_is_left(bucket)
    wait_for(lambda: not cluster.workers())
