"""An engine of processes writes what threads of one process write."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contract.errors import Refused
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.scoring.engines.registry import ENGINES
from pipelines.scoring.job import TargetStates
from pipelines.scoring.places import place_of_rows
from pipelines.scoring.rows import open_rows
from pipelines.scoring.targets import address_of, target_of
from pipelines.scoring.work import BatchJob, Finished, finish
from serving.scoring.version import load_version
from tests.support import batch

N_ROWS = 10_100  # two parts in each of two pieces


@pytest.fixture
def asked(home: Path) -> Path:
    """A package, and files of which the second holds a row that does not fit."""
    batch.declare(home)
    batch.package(home, "first")
    (home / "in").mkdir()
    for number in range(2):
        rows = batch.rows(N_ROWS, first=number * N_ROWS)
        rows.loc[7, "size"] = 50 if number else 1  # beyond its range: flagged
        rows.loc[9, "size"] = None if number else 2
        rows.to_parquet(home / f"in/{number}.parquet", index=False)
    return home


def done(home: Path, engine: str, set_apart: bool = True) -> Finished:
    """The job by one engine, with a root of its own."""
    root = home / engine
    root.mkdir(exist_ok=True)
    package = home / "first"
    served = load_version(package, "orders", "1")
    case, tables = served.use_case, Tables(str(root), "orders")
    rows = open_rows(place_of_rows(str(home / "in"), "", case), case, tables, None)
    target = target_of(address_of(str(home / f"{engine}.parquet")), "job")
    hidden = Pseudonymiser.of(case, "")
    by = ENGINES[engine]
    job = BatchJob("job", served, rows, target, tables, hidden, set_apart, 1, by, package)
    states = TargetStates.of(read_settings(str(root)), "orders", target.address)
    return finish(job, states)


def test_files_flags_and_rows_that_do_not_fit_are_the_same(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.scoring.work.time.time", lambda: 1_700_000_000.0)
    found = {engine: done(asked, engine) for engine in ("local", "processes")}
    one, other = (found[engine].state for engine in ("local", "processes"))
    assert (one.rows, one.quarantined, one.flags) == (other.rows, other.quarantined, other.flags)
    assert one.flags
    assert (one.rows, one.quarantined) == (2 * N_ROWS - 1, 1)
    for name in ("", ".quarantine"):
        files = (asked / f"{engine}{name}.parquet" for engine in found)
        contents = {file.read_bytes() for file in files}
        assert len(contents) == 1
    logged = [Tables(str(asked / e), "orders").read("predictions") for e in found]
    assert logged[0].sort_by("id").equals(logged[1].sort_by("id"))
    assert pq.read_table(asked / "processes.parquet").num_rows == 2 * N_ROWS - 1
    assert list(asked.glob(".*.pieces")) == []


def test_a_row_that_does_not_fit_is_named_and_nothing_is_left(asked: Path) -> None:
    said = []
    for engine in ("local", "processes"):
        with pytest.raises(Refused, match=r"in/1\.parquet: Row 9, column 'size'") as refused:
            done(asked, engine, set_apart=False)
        said.append(str(refused.value))
        shutil.rmtree(asked / engine)
    assert said[0] == said[1]
    assert [path.name for path in asked.glob("*.parquet")] == []
    assert list(asked.glob(".*.pieces")) == []
