"""Files of pieces that wait for their job's commit, where every machine of a cluster reaches them.

They lie beside the target where readers pass over them, in a folder for each run of a job: that of
answers.parquet is .answers.parquet.pieces/<job>-<first start>/. Each has a fixed name and appears
whole, so a piece that was answered twice is there once.
"""

import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from contract.errors import Unavailable
from pipelines.sources.files import S3, failing, place_of

LEFT_AFTER_MS = 24 * 3600 * 1000  # no run of another host is so old and still at work
WHERE = "target"


def beside(target: str, job: str, started_ms: int) -> str:
    """The folder of a run; of a bucket that is a target as a whole it lies inside."""
    above, _, name = target.rstrip("/").rpartition("/")
    if f"{above}/" == S3:
        return f"{target.rstrip('/')}/.pieces/{job}-{started_ms}"
    return f"{above}/.{name}.pieces/{job}-{started_ms}"


@dataclass(frozen=True)
class Staged:
    """A staged file that takes rows."""

    writer: pq.ParquetWriter

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self.writer.write_table(rows)

    def take(self, address: str) -> None:
        """Add the rows of another staged file."""
        for rows in rows_of(address):
            self.write(rows)


def parquet_writer(file: Any, schema: pa.Schema, compression: str = "snappy") -> pq.ParquetWriter:
    """A writer of answers. It looks for words that come again, and not among ids and numbers, of
    which each row has its own: to look there takes longer than to write them."""
    words = [name for name in _words(schema) if name != "prediction_id"]
    return pq.ParquetWriter(file, schema, use_dictionary=words, compression=compression)


def _words(fields: Iterable[pa.Field], above: str = "") -> Iterator[str]:
    """The columns of text, those in a struct by their path."""
    for field in fields:
        if pa.types.is_struct(field.type):
            yield from _words(field.type, f"{above}{field.name}.")
        elif pa.types.is_string(field.type):
            yield above + field.name


@contextmanager
def new_file(address: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A file that appears when it is whole, in place of one of the same name; Unavailable where
    there is no room for it."""
    with tempfile.TemporaryFile() as file:
        with parquet_writer(file, schema) as writer:
            yield writer
        file.seek(0)
        filesystem, path = place_of(address, WHERE)
        local = isinstance(filesystem, pyarrow.fs.LocalFileSystem)
        part = f"{path}.{uuid4()}" if local else path
        with _putting(address):
            if local:  # S3 has no folders
                filesystem.create_dir(str(Path(path).parent))
            with filesystem.open_output_stream(part) as stream:
                shutil.copyfileobj(file, stream, 1 << 20)
            if local:
                filesystem.move(part, path)


@contextmanager
def _putting(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"target: {address} can't be written: {error}") from error


@contextmanager
def opened(address: str) -> Iterator[pq.ParquetFile]:
    """A file; Unavailable where it was written and is not to be seen from here."""
    filesystem, path = place_of(address, WHERE)
    if not filesystem.get_file_info(path).is_file:
        raise Unavailable(
            f"target: {address} was written by a machine of the cluster and is not to be seen from "
            "here; a target on storage that all of them reach is needed, such as s3://."
        )
    with failing(WHERE, address), filesystem.open_input_file(path) as stream:
        yield pq.ParquetFile(stream)


def rows_of(address: str) -> Iterator[pa.Table]:
    """The rows of a file, a row group at a time, as they were written."""
    with opened(address) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def drop(address: str) -> None:
    """Delete a file."""
    filesystem, path = place_of(address, WHERE)
    filesystem.delete_file(path)


@contextmanager
def swept(folder: str) -> Iterator[None]:
    """What lies in the folder of a run is swept before and after, whatever becomes of the run; so
    are the folders beside it that killed runs of other hosts left long ago."""
    sweep(folder)
    try:
        yield
    finally:
        sweep(folder)


def sweep(folder: str) -> None:
    """Delete the folder of a run, and those beside it that are old."""
    filesystem, path = place_of(folder, WHERE)
    above = str(Path(path).parent)
    with failing(WHERE, folder):
        selector = pyarrow.fs.FileSelector(above, allow_not_found=True)
        found = [info.path for info in filesystem.get_file_info(selector)]
        before = time.time() * 1000 - LEFT_AFTER_MS
        gone = {run for run in found if run == path or _started_ms(run) < before}
        for run in gone:
            with suppress(FileNotFoundError):  # stores let go of empty folders by themselves
                filesystem.delete_dir(run)
        if found and gone == set(found):
            _delete_folder(filesystem, above)


def _delete_folder(filesystem: pyarrow.fs.FileSystem, folder: str) -> None:
    if not isinstance(filesystem, pyarrow.fs.LocalFileSystem):
        with suppress(FileNotFoundError):
            filesystem.delete_dir(folder)  # its marker: S3 has no folders
        return
    with suppress(OSError):  # another host's run lies there now
        Path(folder).rmdir()


def _started_ms(run: str) -> int:
    number = run.rpartition("-")[2]
    return int(number) if number.isdecimal() else int(time.time() * 1000)
