"""The first rows of a source, without reading all of it where its kind allows that."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
from deltalake.exceptions import DeltaError

from contract.errors import BadInput
from contract.store import sql as engine
from contract.store.sql import quoted
from contract.use_case.model import UseCase
from pipelines.sources import csv, delta, json_lines, python, sql, values
from pipelines.sources.files import PACKED, SourceFile, failing, find, stream
from pipelines.sources.parts import read_files, wanted
from pipelines.sources.registry import read_source

BATCH_ROWS = 8192
HEAD_BYTES = 4 * 1024 * 1024  # of a text file; longer than the first rows of any but odd ones


@dataclass(frozen=True)
class FirstRows:
    """Up to so many rows as the reader gives them, and the names of all columns that are there.

    `total` is how many there are in all, about; None where only a whole read would tell.
    `read_whole` says that there was no shorter way. Without `all_names` later rows may have more.
    """

    table: pa.Table
    names: tuple[str, ...]
    total: int | None
    read_whole: bool = False
    all_names: bool = True


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
    found = found or _of_all(use_case)
    return replace(found, table=found.table.slice(0, n_rows))


def _of_all(use_case: UseCase) -> FirstRows:
    if use_case.source.kind == "python":
        frame = python.load(use_case)
        return FirstRows(
            python.rows_of(frame, use_case), tuple(python.names_of(frame)), len(frame), True
        )
    table = read_source(use_case)
    return FirstRows(table, tuple(table.column_names), table.num_rows, read_whole=True)


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
    if start.startswith(tuple(PACKED)):
        return None
    size = path.stat().st_size
    if len(start) < size:
        start = start[: _line_end(start)]
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / path.name
        short.write_bytes(start)
        names = tuple(csv.head(str(short), use_case.csv_format))
        form = use_case.source.csv.model_copy(update={"path": str(short)})
        source = use_case.source.model_copy(update={"csv": form})
        table = csv.read(use_case.model_copy(update={"source": source}))
    whole = len(start) == size
    if not (whole or table.num_rows):
        return None  # a sign of inches, which begins no quoted field, may hide every line's end
    total = table.num_rows if whole else _about(table.num_rows * size / max(len(start), 1))
    return FirstRows(table, names, total)


def _about(n_rows: float) -> int:
    return int(float(f"{n_rows:.2g}"))


def _line_end(text: bytes) -> int:
    """Where the last whole line ends; a line break inside quotes is none. 0 where none ends."""
    at, quotes = len(text), text.count(b'"')
    while (before := text.rfind(b"\n", 0, at)) >= 0:
        quotes -= text.count(b'"', before, at)
        at = before
        if quotes % 2 == 0:
            return at + 1
    return 0


def _of_parquet(use_case: UseCase, n_rows: int) -> FirstRows:
    """The first rows of the first files, and what the last bytes of every file say of it."""
    names: dict[str, None] = {}
    read = total = 0

    def read_file(file: SourceFile) -> pa.Table:
        nonlocal read, total
        with stream(file.address, "parquet") as opened:
            parquet = pyarrow.parquet.ParquetFile(opened, pre_buffer=False)  # else it reads all
            schema = parquet.schema_arrow
            names.update(dict.fromkeys([*schema.names, *file.values]))
            columns = list(wanted(schema.names, use_case, f"source.parquet: {file.address}"))
            batches = []
            for batch in parquet.iter_batches(BATCH_ROWS, columns=columns):
                if read >= n_rows:
                    break
                batches.append(batch)
                read += batch.num_rows
        total += parquet.metadata.num_rows
        return pa.Table.from_batches(batches, pa.schema([schema.field(name) for name in columns]))

    table = read_files(str(use_case.source.parquet), "parquet", use_case, None, read_file)
    return FirstRows(table, tuple(names), total)


def _of_json(use_case: UseCase, n_rows: int) -> FirstRows:
    """The first lines of the first file. A member that none of them has may come later."""
    files = find(str(use_case.source.json_lines), "json")
    seen: dict[str, None] = {}
    n_read = 0

    def read_file(file: SourceFile) -> pa.Table:
        nonlocal n_read
        where = f"source.json: {file.address}"
        with failing("source.json", file.address), stream(file.address, "json") as lines:
            rows = list(islice(json_lines.members(lines, where), n_rows + 1))
        n_read = len(rows)
        for row in rows:
            seen.update(dict.fromkeys(row))
        names = [name for name in use_case.columns if name in seen]
        columns = [[row.get(name) for row in rows[:n_rows]] for name in names]
        return values.table(names, [columns] if rows else [], where)

    table = read_files(files[0].address, "json", use_case, None, read_file)
    whole = len(files) == 1 and n_read <= n_rows
    names = tuple(dict.fromkeys([*seen, *files[0].values]))
    return FirstRows(table, names, table.num_rows if whole else None, all_names=whole)


def _of_delta(use_case: UseCase, n_rows: int) -> FirstRows:
    table = delta.opened(use_case)
    names = pa.schema(table.schema().to_arrow()).names
    columns = ", ".join(map(quoted, wanted(names, use_case, "source.delta"))) or "1"
    rows = engine.answer(f"SELECT {columns} FROM t LIMIT {int(n_rows)}", {"t": table})  # noqa: S608
    counted = engine.answer("SELECT count(*) AS n FROM t", {"t": table})
    return FirstRows(rows, tuple(names), counted.column("n")[0].as_py())


def _of_sql(use_case: UseCase, n_rows: int) -> FirstRows | None:
    """The query's first rows; how many it has in all only itself would tell."""
    found = sql.first(use_case, n_rows)
    if found is None:
        return None
    table, names, more = found
    return FirstRows(table, tuple(names), None if more else table.num_rows)


HEADS: dict[str, Head] = {
    "csv": _of_csv,
    "json": _of_json,
    "parquet": _of_parquet,
    "delta": _of_delta,
    "sql": _of_sql,
}
