"""Files of pieces that wait for their job's commit, where every machine of a cluster reaches them.

They lie beside the target where readers pass over them, in a folder for each run of a job: that of
answers.parquet is .answers.parquet.pieces/<job>-<first start>/. Each has a fixed name and appears
whole, so a piece that was answered twice is there once.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from contract.errors import BadInput, Unavailable
from pipelines.sources.files import S3, failing, place_of

LEFT_AFTER_MS = 24 * 3600 * 1000  # no run of another host is so old and still at work
WHERE = "target"


def beside(target: str, job: str, started_ms: int) -> str:
    """The folder of a run; BadInput where nothing can lie beside the target."""
    above, _, name = target.rstrip("/").rpartition("/")
    if target.startswith(S3) and above == S3.rstrip("/"):
        raise BadInput(f"target: a folder in a bucket is needed, found the bucket {target} itself.")
    return f"{above}/.{name}.pieces/{job}-{started_ms}"


@contextmanager
def new_file(address: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A file that appears when it is whole, in place of one of the same name."""
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema) as writer:
            yield writer
        file.seek(0)
        filesystem, path = place_of(address, WHERE)
        local = isinstance(filesystem, pyarrow.fs.LocalFileSystem)
        part = f"{path}.{uuid4()}" if local else path
        with failing(WHERE, address):
            if local:  # S3 has no folders
                filesystem.create_dir(str(Path(path).parent))
            with filesystem.open_output_stream(part) as opened:
                shutil.copyfileobj(file, opened, 1 << 20)
            if local:
                filesystem.move(part, path)


def rows_of(address: str) -> Iterator[pa.Table]:
    """The rows of a file, a row group at a time, as they were written."""
    filesystem, path = place_of(address, WHERE)
    if not filesystem.get_file_info(path).is_file:
        raise Unavailable(
            f"target: {address} was written by a machine of the cluster and is not to be seen from "
            "here; a target on storage that all of them reach is needed, such as s3://."
        )
    with failing(WHERE, address), filesystem.open_input_file(path) as opened:
        file = pq.ParquetFile(opened)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def drop(address: str) -> None:
    """Delete a file."""
    filesystem, path = place_of(address, WHERE)
    filesystem.delete_file(path)


def sweep(folder: str, *, others: bool = True) -> None:
    """Delete the folder of a run; `others`: also those beside it that were left long ago."""
    filesystem, path = place_of(folder, WHERE)
    above = str(Path(path).parent)
    selector = pyarrow.fs.FileSelector(above, allow_not_found=True)
    with failing(WHERE, folder):
        found = [info.path for info in filesystem.get_file_info(selector)]
        before = time.time() * 1000 - LEFT_AFTER_MS
        for run in found:
            if run == path or (others and _started_ms(run) < before):
                filesystem.delete_dir(run)
        if set(found) <= {path}:
            with_nothing(filesystem, above)


def with_nothing(filesystem: pyarrow.fs.FileSystem, folder: str) -> None:
    """Delete a folder where it is there."""
    if filesystem.get_file_info(folder).type == pyarrow.fs.FileType.Directory:
        filesystem.delete_dir(folder)


def _started_ms(run: str) -> int:
    number = run.rpartition("-")[2]
    return int(number) if number.isdecimal() else int(time.time() * 1000)
