"""Every kind of source with what reads it; a new kind is a file beside this one and a line here."""

from collections.abc import Callable

import pyarrow as pa

from contract.use_case.model import UseCase
from pipelines.sources import csv, delta, parquet, python, sql

READERS: dict[str, Callable[[UseCase], pa.Table]] = {
    "python": python.read,
    "csv": csv.read,
    "parquet": parquet.read,
    "sql": sql.read,
    "delta": delta.read,
}


def read_source(use_case: UseCase) -> pa.Table:
    """All rows the source holds now, with every column it has.

    BadInput where it is not there or can't be read, Unavailable where its database is away.
    """
    return READERS[use_case.source.kind](use_case)
