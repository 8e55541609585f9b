"""Every kind of source with what reads it; a new kind is a file beside this one and a line here."""

from collections.abc import Callable

import pyarrow as pa

from contract.use_case.model import UseCase
from pipelines.sources import csv, delta, json_lines, parquet, python, sql
from pipelines.sources.newer import Newer
from pipelines.sources.parts import wanted

READERS: dict[str, Callable[[UseCase, Newer | None], pa.Table]] = {
    "python": python.read,
    "csv": csv.read,
    "parquet": parquet.read,
    "json": json_lines.read,
    "sql": sql.read,
    "delta": delta.read,
}


def read_source(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """The rows the source holds now, with every column that the use case wants.

    With `newer`, at least those that are new; a source that can't tell gives all of them.
    BadInput where it is not there or can't be read, Unavailable where its database is away.
    """
    kind = use_case.source.kind
    rows = READERS[kind](use_case, newer)
    wanted(rows.column_names, use_case, f"source.{kind}")
    return rows
