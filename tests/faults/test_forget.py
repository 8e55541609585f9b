"""Forgetting that is killed half-way, and on an S3 store."""

import io
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow import fs

from contract.names import TableName
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.sections.source import Delta, Source
from pipelines.forget import forget
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import Workspace, connected
from pipelines.sources.registry import read_source
from tests.conftest import copy_world
from tests.faults.dying_forget import KILLED, counted
from tests.support.answered import opened
from tests.support.rounds import rounds
from tests.support.store import Store

SCRIPT = [sys.executable, str(Path(__file__).parent / "dying_forget.py")]
NAMES: tuple[TableName, ...] = ("raw", "training", "holdout", "predictions", "feedback")


def rows_of(tables: Tables) -> dict[str, int]:
    return {name: tables.read(name).num_rows for name in NAMES}


def subject_of(workspace: Workspace) -> int:
    """A penguin of the newest training table that was answered and labelled too."""
    names = [name for name in NAMES if name != "holdout"]
    keys = [set(workspace.tables.read(n).column("penguin").to_pylist()) for n in names]
    return int(min(set.intersection(*keys) - {None}))


def killed(folder: Path, key: int, calls: int) -> bool:
    """Whether forgetting ended at that call."""
    command = [*SCRIPT, str(folder), str(key), str(calls)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, env=environment, cwd=folder, check=False).returncode == KILLED


def files_with(files: fs.FileSystem, root: str, penguin: int) -> list[str]:
    """Parquet files below a folder, of whatever version of a table, that hold the penguin."""
    found = []
    for info in files.get_file_info(fs.FileSelector(root, recursive=True)):
        if info.path.endswith(".parquet"):
            with files.open_input_file(info.path) as opened_file:
                file = pq.ParquetFile(io.BytesIO(opened_file.read()))
            named = "penguin" in file.schema_arrow.names
            if named and penguin in file.read(["penguin"]).column("penguin").to_pylist():
                found.append(info.path)
    return found


def test_killed_at_any_step_it_is_finished_by_the_next_one(
    answered: Workspace, world: Path, home: Path
) -> None:
    subject, before = subject_of(answered), rows_of(answered.tables)
    steps = counted(answered, str(subject))
    gone = rows_of(answered.tables)
    assert sum(gone.values()) < sum(before.values())
    for step in random.Random(0).sample(range(1, steps + 1), rounds(2, 20)):
        folder = home / str(step)
        folder.mkdir()
        copy_world(world, folder)
        assert killed(folder, subject, step)
        again = opened(folder)
        forget(again, str(subject))
        assert files_with(fs.LocalFileSystem(), str(folder / "data"), subject) == []
        assert rows_of(again.tables) == gone
        shutil.rmtree(folder)


def test_no_object_of_an_s3_store_holds_the_subject(answered: Workspace, store: Store) -> None:
    subject = subject_of(answered)
    s3 = store.files()
    fs.copy_files(answered.tables.root, store.root.removeprefix("s3://"), destination_filesystem=s3)
    settings = read_settings().model_copy(
        update={"tracking_uri": answered.settings.tracking_uri, "root": store.root}
    )
    far = connected(answered.use_case, settings, "monitoring")
    before = rows_of(far.tables)
    stored = Source(delta=Delta(path=far.tables.uri("raw")))  # plain http, as this server speaks
    read = read_source(far.use_case.model_copy(update={"source": stored}))
    assert read.num_rows == before["raw"]
    assert files_with(s3, store.root.removeprefix("s3://"), subject)
    done = forget(far, str(subject)).result
    assert files_with(s3, store.root.removeprefix("s3://"), subject) == []
    assert sum(before.values()) - sum(rows_of(far.tables).values()) == sum(done.rows.values())
