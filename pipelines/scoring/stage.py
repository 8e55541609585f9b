"""Rows that wait for their commit, in a file without a name: a killed process leaves nothing.

Workers of a cluster wrote theirs into files beside the target, which the run sweeps at its end.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from contract.errors import Refused, Unavailable
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.schema import fit_to_schema, widened
from pipelines.scoring.staging import opened, parquet_writer

READ_ROWS = 50_000


class Sink(Protocol):
    """What takes rows, or files that workers wrote of them, each in its turn."""

    def write(self, rows: pa.Table) -> None:
        """Add rows."""

    def take(self, address: str) -> None:
        """Add the rows of a staged file, which lies there until the job is done."""


class Waiting(Protocol):
    """Rows that were staged, read as often as needed."""

    def files(self) -> Iterator[pq.ParquetFile]:
        """One file after the other, in the order of the rows."""


@dataclass(frozen=True)
class Held:
    """A file that this process holds open."""

    file: IO[bytes]

    def files(self) -> Iterator[pq.ParquetFile]:
        """It alone."""
        self.file.seek(0)
        # What is read ahead is kept until the file is closed: all of it, in the end.
        yield pq.ParquetFile(self.file, pre_buffer=False)


@dataclass(frozen=True)
class Named:
    """Files that any machine of the cluster can open."""

    addresses: tuple[str, ...]

    def files(self) -> Iterator[pq.ParquetFile]:
        """Each is open until the next."""
        for address in self.addresses:
            with opened(address) as file:
                yield file


@dataclass(frozen=True)
class Stage:
    """Rows of one schema, written once and then read as often as needed."""

    file: IO[bytes]
    writer: pq.ParquetWriter
    taken: list[str] = field(default_factory=list)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""
        return self.writer.schema

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self.writer.write_table(rows)

    def take(self, address: str) -> None:
        """Add the rows of a file."""
        self.taken.append(address)

    def written(self) -> Waiting:
        """All rows; none can be added any more. An engine writes, or lets files be taken."""
        self.writer.close()
        return Named(tuple(self.taken)) if self.taken else Held(self.file)


@contextmanager
def staged(folder: Path, schema: pa.Schema) -> Iterator[Stage]:
    """A stage on the disk of a folder."""
    with tempfile.TemporaryFile(dir=folder) as file, parquet_writer(file, schema) as writer:
        yield Stage(file, writer)


def writer_of(job: str) -> str:
    """What a job is called in the commit that holds its rows; its number is the first start."""
    return f"batch:{job}"


# Adds a stage's rows, in these columns, to a table with marks of who wrote them; the new version.
Append = Callable[[ExactlyOnceWriter, Stage, pa.Schema, Mapping[str, int]], int]


def append_rows(
    intake: ExactlyOnceWriter, stage: Stage, wanted: pa.Schema, upto: Mapping[str, int]
) -> int:
    """Add the rows by deltalake's own writer; the new version."""
    fitted = (
        batch
        for file in stage.written().files()
        for part in file.iter_batches(READ_ROWS)
        for batch in fit_to_schema(pa.Table.from_batches([part]), wanted).to_batches()
    )
    return intake.append(pa.RecordBatchReader.from_batches(wanted, fitted), upto)


def commit_once(
    opened: Callable[[], ExactlyOnceWriter],
    job: str,
    started_ms: int,
    stage: Stage,
    append: Append = append_rows,
) -> bool:
    """Add the rows in one commit, unless one of the job is there; whether it was added now.

    Refused where the table holds other types, Unavailable where the commit failed.
    """
    intake, writer = opened(), writer_of(job)
    if intake.last(writer):
        return False
    wanted = _wanted(intake, stage.schema)
    before = int(intake.table.version())
    try:
        version = append(intake, stage, wanted, {writer: started_ms})
    except (DeltaError, OSError) as error:  # it may have happened all the same
        if opened().last(writer) != started_ms:
            raise Unavailable(
                f"The commit of job {job} to {intake.table.table_uri} failed; run it again: {error}"
            ) from error
        intake.settle([])
        return True
    intake.settle(range(before + 1, version + 1))
    return True


def _wanted(intake: ExactlyOnceWriter, schema: pa.Schema) -> pa.Schema:
    wanted = widened(intake.schema, schema)
    try:
        empty = pa.table([pa.nulls(1, field.type) for field in schema], schema=schema)
        fit_to_schema(empty, wanted)
    except pa.ArrowException as error:
        raise Refused(
            f"The table {intake.table.table_uri} holds a column of another type than the answers "
            f"have: {error}; another table is needed, or the old one moved away."
        ) from error
    return wanted
