"""Rows that wait for their commit, in a file without a name: a killed process leaves nothing."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from contract.errors import Refused, Unavailable
from contract.store.exactly_once import ExactlyOnceWriter
from contract.store.schema import fit_to_schema, widened

READ_ROWS = 50_000


@dataclass(frozen=True)
class Stage:
    """Rows of one schema, written once and then read as often as needed."""

    file: IO[bytes]
    writer: pq.ParquetWriter

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""
        return self.writer.schema

    def write(self, rows: pa.Table) -> None:
        """Add rows."""
        self.writer.write_table(rows)

    def written(self) -> pq.ParquetFile:
        """All rows; none can be added any more."""
        self.writer.close()
        self.file.seek(0)
        return pq.ParquetFile(self.file)


@contextmanager
def staged(folder: Path, schema: pa.Schema) -> Iterator[Stage]:
    """A stage on the disk of a folder."""
    with tempfile.TemporaryFile(dir=folder) as file, pq.ParquetWriter(file, schema) as writer:
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
        for part in stage.written().iter_batches(READ_ROWS)
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
