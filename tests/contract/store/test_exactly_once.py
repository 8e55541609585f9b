"""A numbered writer's appends: each once, and on the disk when it says so."""

import os
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError

from contract.store.exactly_once import ExactlyOnceWriter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table with one row, at an address with a space."""
    at = tmp_path / "a table"
    write_deltalake(str(at), pa.table({"x": [0]}))
    return at


def opened(folder: Path) -> ExactlyOnceWriter:
    return ExactlyOnceWriter(DeltaTable(str(folder)))


def rows(folder: Path) -> list[int]:
    found: list[int] = []
    for uri in DeltaTable(str(folder)).file_uris():
        path = unquote(uri.removeprefix("file://"))
        found += pyarrow.parquet.read_table(path, columns=["x"])["x"].to_pylist()
    return sorted(found)


def test_a_writer_s_newest_number_stands_in_the_table(folder: Path) -> None:
    writer = opened(folder)
    assert writer.last("a") == 0
    assert writer.append(pa.table({"x": [1, 2]}), {"a": 7, "b": 2}) == 1
    again = opened(folder)
    assert (again.last("a"), again.last("b"), again.last("c")) == (7, 2, 0)
    assert rows(folder) == [0, 1, 2]


def test_of_two_that_opened_the_table_before_one_commits(folder: Path) -> None:
    first, second = opened(folder), opened(folder)
    first.append(pa.table({"x": [1]}), {"a": 1})
    with pytest.raises(CommitFailedError):
        second.append(pa.table({"x": [1]}), {"a": 1})
    assert rows(folder) == [0, 1]
    assert opened(folder).append(pa.table({"x": [2]}), {"a": 2}) == 2


def test_columns_that_the_table_lacks_are_added(folder: Path) -> None:
    writer = opened(folder)
    assert writer.schema.names == ["x"]
    writer.append(pa.table({"x": [1], "y": ["new"]}), {"a": 1})
    assert opened(folder).schema.names == ["x", "y"]
    opened(folder).append(pa.table({"x": [2], "y": [None]}, opened(folder).schema), {"a": 2})
    assert rows(folder) == [0, 1, 2]


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the kernel was told to write for good, which still happens."""
    found: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        found.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return found


def test_a_version_s_files_and_their_folders_are_put_on_the_disk(
    folder: Path, settled: list[str]
) -> None:
    writer = opened(folder)
    version = writer.append(pa.table({"x": [1]}), {"a": 1})
    settled.clear()
    writer.settle([version])
    added = DeltaTable(str(folder)).get_add_actions(flatten=True)
    named = pa.table(added)["path"].to_pylist()
    first = [unquote(name) for name in named if str(folder / unquote(name)) not in settled]
    assert len(first) == 1  # that of the version before
    entry = folder / "_delta_log/00000000000000000001.json"
    assert {str(entry), str(entry.parent), str(folder), str(folder.parent)} <= set(settled)
    assert not any("00000000000000000000.json" in path for path in settled)
    assert not any("checkpoint" in path for path in settled)
    assert len(settled) == len(set(settled))


def test_a_check_point_is_put_on_the_disk_with_its_version(
    folder: Path, settled: list[str]
) -> None:
    writer = opened(folder)
    version = writer.append(pa.table({"x": [1]}), {"a": 1})
    DeltaTable(str(folder)).create_checkpoint()
    settled.clear()
    writer.settle([version])
    log = folder / "_delta_log"
    assert str(log / "00000000000000000001.checkpoint.parquet") in settled
    assert str(log / "_last_checkpoint") in settled


def test_without_a_version_all_of_the_host_is_put_on_the_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(os, "sync", lambda: asked.append("all"))
    opened(folder).settle([])
    assert asked == ["all"]
    opened(folder).settle([0])
    assert asked == ["all"]
