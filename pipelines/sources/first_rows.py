"""The first rows of a source, without reading all of it where its kind allows that."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from contract.errors import BadInput
from contract.store import sql as engine
from contract.store.tables import storage_options
from contract.use_case.model import UseCase
from pipelines.sources import csv, sql
from pipelines.sources.frames import from_pandas
from pipelines.sources.registry import read_source

HEAD_BYTES = 4 * 1024 * 1024  # of a text file; longer than the first rows of any but odd ones
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"PK\x03\x04")


@dataclass(frozen=True)
class FirstRows:
    """Up to so many rows as the reader gives them, and the names of all columns that are there.

    `total` is how many there are in all, about; None where only a whole read would tell.
    `read_whole` says that there was no shorter way.
    """

    table: pa.Table
    names: tuple[str, ...]
    total: int | None
    read_whole: bool = False


Head = Callable[[UseCase, int], FirstRows | None]


def first_rows(use_case: UseCase, n_rows: int) -> FirstRows:
    """The first `n_rows` of the source, or all where there are fewer.

    A kind without a shorter way, and a source that the short way can't read, is read whole: what is
    wrong with it is for its reader to say. BadInput and Unavailable as of `read_source`.
    """
    head = HEADS.get(use_case.source.kind)
    try:
        found = head(use_case, n_rows) if head else None
    except (OSError, ValueError, KeyError, BadInput, pa.ArrowException, DeltaError):
        found = None
    if found is None:
        table = read_source(use_case)
        found = _of_table(table.slice(0, n_rows), table.num_rows, read_whole=True)
    return found


def _of_table(table: pa.Table, total: int | None, read_whole: bool = False) -> FirstRows:
    return FirstRows(table, tuple(table.column_names), total, read_whole)


def reads_whole(use_case: UseCase) -> bool:
    """Whether the kind of the source has no shorter way at all."""
    return use_case.source.kind not in HEADS


def _of_csv(use_case: UseCase, n_rows: int) -> FirstRows | None:
    """The file's first bytes, up to a line's end, read as the whole file is read."""
    assert use_case.source.csv is not None, "the kind is csv"
    path = Path(use_case.source.csv.path)
    if not path.is_file():
        return None  # a folder, a pattern, an address
    with path.open("rb") as file:
        start = file.read(HEAD_BYTES)
    if start.startswith(COMPRESSED):
        return None
    size = path.stat().st_size
    if len(start) < size:
        start = start[: _line_end(start)]
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / path.name
        short.write_bytes(start)
        form = use_case.source.csv.model_copy(update={"path": str(short)})
        source = use_case.source.model_copy(update={"csv": form})
        table = csv.read(use_case.model_copy(update={"source": source}))
    whole = len(start) == size
    total = table.num_rows if whole else _about(table.num_rows * size / max(len(start), 1))
    return _of_table(table.slice(0, n_rows), total)


def _about(n_rows: float) -> int:
    return int(float(f"{n_rows:.2g}"))


def _line_end(text: bytes) -> int:
    """Where the last whole line ends; a line break inside quotes is none."""
    at = len(text)
    while (at := text.rfind(b"\n", 0, at)) >= 0:
        if text.count(b'"', 0, at) % 2 == 0:
            return at + 1
    return len(text)


def _of_parquet(use_case: UseCase, n_rows: int) -> FirstRows | None:
    path = Path(str(use_case.source.parquet))
    if not path.exists():
        return None  # a pattern, an address, or nothing
    dataset = pyarrow.dataset.dataset(path, format="parquet")
    return _of_table(dataset.head(n_rows), dataset.count_rows())


def _of_delta(use_case: UseCase, n_rows: int) -> FirstRows | None:
    delta = use_case.source.delta
    assert delta is not None, "the kind is delta"
    options = storage_options(delta.path)
    table = DeltaTable(delta.path, version=delta.version, storage_options=options)
    counted = engine.answer("SELECT count(*) AS n FROM t", {"t": table})
    rows = engine.answer(f"SELECT * FROM t LIMIT {int(n_rows)}", {"t": table})  # noqa: S608
    return _of_table(rows, counted.column("n")[0].as_py())


def _of_sql(use_case: UseCase, n_rows: int) -> FirstRows | None:
    """The query's first rows; how many it has in all only itself would tell."""
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    asked = use_case.source.sql
    assert asked is not None, "the kind is sql"
    with sql.connected(asked.url) as connection:
        streaming = connection.execution_options(stream_results=True)
        try:
            chunks = pd.read_sql(text(asked.query), streaming, chunksize=n_rows)
            frame = next(iter(chunks))
        except (SQLAlchemyError, StopIteration):
            return None
        more = next(iter(chunks), None) is not None
    return _of_table(from_pandas(frame), None if more else len(frame))


HEADS: dict[str, Head] = {
    "csv": _of_csv,
    "parquet": _of_parquet,
    "delta": _of_delta,
    "sql": _of_sql,
}
