"""Rows of a table or a file in batches, and a file of answers that appears when it is whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from contract.errors import BadInput
from contract.names import TableName
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from pipelines.sources import csv

BATCH_ROWS = 10_000
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True)
class Batches:
    """Record batches of a source, and how many rows they hold where that is known before."""

    rows: int | None
    batches: Iterator[pa.RecordBatch]


def open_batches(source: str, use_case: UseCase, tables: Tables) -> Batches:
    """The rows of a table by its name, or of a CSV or Parquet file by its path."""
    if source in get_args(TableName):
        rows = tables.read(source)  # type: ignore[arg-type]  # it is one of the names
        return Batches(rows.num_rows, iter(rows.to_batches(BATCH_ROWS)))
    path = Path(source).expanduser()
    if path.suffix not in SUFFIXES or not path.is_file():
        names = ", ".join(get_args(TableName))
        raise BadInput(f"source: a .parquet or .csv file, or one of {names}, found {source!r}.")
    try:
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            return Batches(file.metadata.num_rows, file.iter_batches(BATCH_ROWS))
        csv.head(str(path), use_case.csv_format)  # what is wrong with it is said before any work
        return Batches(None, _small(csv.typed_batches(str(path), use_case)))
    except pa.ArrowInvalid as error:
        raise BadInput(f"source: {source} can't be read: {error}") from error


def _small(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield from (batch.slice(at, BATCH_ROWS) for at in range(0, batch.num_rows, BATCH_ROWS))


@contextmanager
def open_output(output: str, schema: pa.Schema) -> Iterator[Any]:
    """A writer (`write_table`) of a Parquet or CSV file, which appears under its name at the end.

    An older file of that name stays until then, and stays for good when something fails.
    """
    path = Path(output).expanduser()
    part = path.with_name(f".{path.name}.{os.getpid()}")
    kind = pq.ParquetWriter if path.suffix == ".parquet" else pyarrow.csv.CSVWriter
    try:
        with kind(part, schema) as writer:
            yield writer
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_output(output: str) -> None:
    """BadInput unless the name says what to write and its folder is there."""
    path = Path(output).expanduser()
    if path.suffix not in SUFFIXES or not path.parent.is_dir():
        raise BadInput(f"output: a .parquet or .csv file in a folder that exists, found {output!r}")
