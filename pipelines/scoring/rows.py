"""Rows that are to be answered, in small parts, from a source that stays as it is named.

A source's version is what its answers are known by: of a table its id and version, of files their
content, of what has neither the rows themselves.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from contract.errors import BadInput, Refused
from contract.store.rows.fingerprint import row_hashes, value_hash
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.sections.source import BatchSource, Source
from pipelines.scoring import delta_files
from pipelines.sources import csv, delta
from pipelines.sources.files import SourceFile, failing, find, place_of, stream
from pipelines.sources.parts import wanted, with_folder_values
from pipelines.sources.registry import READERS

PART_ROWS = 10_000
BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class RowPart:
    """Some rows of a source, and where they stand."""

    rows: pa.RecordBatch
    where: str  # the table or file
    first: int  # the row of it that comes first here, from 0
    unread: Mapping[int, str] = field(default_factory=dict)  # by row of the part: why it is none


@dataclass(frozen=True)
class OpenedRows:
    """A source at its version."""

    title: str
    version: str
    rows: int | None  # where that is known before
    parts: Callable[[], Iterator[RowPart]]


def open_rows(place: BatchSource, use_case: UseCase, tables: Tables, at: int | None) -> OpenedRows:
    """The rows of a place; `at` is the version of the use case's own table, None for the newest.

    BadInput where they are not there, Unavailable where their store is away.
    """
    if place.table:
        address = tables.uri(place.table)
        return _table(place.table, address, tables.open(place.table, at), at, use_case)
    case = use_case.model_copy(update={"source": _as_source(place)})
    if place.delta:
        path = place.delta.path
        return _table(path, path, delta.opened(case), place.delta.version, case)
    if place.kind in ("sql", "python"):
        return _read_whole(place, case, _needed(case))
    return _files(place, case, _needed(case))


def _needed(use_case: UseCase) -> list[str]:
    """Columns that are read where they are there: inputs, keys, event time."""
    beside = filter(None, (*use_case.keys, use_case.event_time))
    return list(dict.fromkeys((*use_case.inputs, *beside)))


def _as_source(place: BatchSource) -> Source:
    plain = place.model_dump(by_alias=True, exclude={"table"})
    return Source.model_validate(plain).model_copy(update={"folder": place.folder})


def _table(
    title: str, address: str, table: DeltaTable, asked: int | None, use_case: UseCase
) -> OpenedRows:
    at = delta_files.newest_rows(table) if asked is None else asked
    read = delta_files.at_rows(address, table, at)
    columns = _needed(use_case)
    names = wanted([f.name for f in table.schema().fields], use_case, f"source: {title}")
    chosen = [name for name in columns if name in names]
    where = f"{title}@{at}"

    def parts() -> Iterator[RowPart]:
        first = 0
        with _reading(where):
            for batch in delta_files.batches(read, chosen, PART_ROWS):
                yield from _parts(batch, where, first)
                first += batch.num_rows

    counts = pa.table(read.get_add_actions()).column("num_records")
    n_rows = None if counts.null_count else sum(counts.to_pylist())
    return OpenedRows(where, f"{table.metadata().id}@{at}", n_rows, parts)


def _read_whole(place: BatchSource, use_case: UseCase, columns: list[str]) -> OpenedRows:
    """What a query or a function answers, which nothing can name later but the rows themselves.

    A query may answer in another order each time: its rows come in the order of their hashes.
    """
    rows = READERS[place.kind](use_case, None)
    names = wanted(rows.column_names, use_case, f"source.{place.kind}")
    rows = rows.select([name for name in columns if name in names])
    hashes = row_hashes(rows)
    if place.kind == "sql":
        order = hashes.argsort(kind="stable")
        rows, hashes = rows.take(pa.array(order)), hashes[order]
    version = hashlib.sha256(hashes.tobytes()).hexdigest()

    def parts() -> Iterator[RowPart]:
        first = 0
        for batch in rows.to_batches(PART_ROWS):
            yield RowPart(batch, place.place, first)
            first += batch.num_rows

    return OpenedRows(place.place, version, rows.num_rows, parts)


def _files(place: BatchSource, use_case: UseCase, columns: list[str]) -> OpenedRows:
    files = find(_address(place), place.kind)
    version = value_hash([[file.address, _content(file, place.kind)] for file in files])
    n_rows = _counted(files) if place.kind == "parquet" else None

    def parts() -> Iterator[RowPart]:
        for file in files:
            before = _content_now(file, place.kind)
            first = 0
            with _reading(file.address):
                for part in READ[place.kind](file, use_case, columns):
                    for one in _parts(part.rows, file.address, first, part.unread):
                        yield _placed(one, file, use_case)
                    first += part.rows.num_rows
            if before != _content_now(file, place.kind):
                raise Refused(f"source: {file.address} changed while it was read; run again.")

    return OpenedRows(place.place, version, n_rows, parts)


def _address(place: BatchSource) -> str:
    value = getattr(place, place.kinds[place.kind])
    return str(getattr(value, "path", value))


def _placed(part: RowPart, file: SourceFile, use_case: UseCase) -> RowPart:
    if not file.values:
        return part
    rows = with_folder_values(pa.Table.from_batches([part.rows]), file, use_case)
    (batch,) = rows.combine_chunks().to_batches()
    return RowPart(batch, part.where, part.first, part.unread)


def _parts(
    batch: pa.RecordBatch, where: str, first: int, unread: Mapping[int, str] | None = None
) -> Iterator[RowPart]:
    for at in range(0, batch.num_rows, PART_ROWS):
        rows = batch.slice(at, PART_ROWS)
        here = {row - at: why for row, why in (unread or {}).items() if 0 <= row - at < PART_ROWS}
        yield RowPart(rows, where, first + at, here)


def _parquet(file: SourceFile, use_case: UseCase, columns: list[str]) -> Iterator[RowPart]:
    with stream(file.address, "parquet") as opened:
        parquet = pq.ParquetFile(opened)
        names = wanted(parquet.schema_arrow.names, use_case, f"source: {file.address}")
        chosen = [name for name in columns if name in names]
        for batch in parquet.iter_batches(PART_ROWS, columns=chosen):
            yield RowPart(batch, file.address, 0)


def _csv(file: SourceFile, use_case: UseCase, columns: list[str]) -> Iterator[RowPart]:
    names = wanted(csv.head(file.address, use_case.csv_format), use_case, f"source: {file.address}")
    chosen = [name for name in columns if name in names]
    for batch, unread in csv.batches_with_reasons(file.address, use_case):
        yield RowPart(batch.select(chosen), file.address, 0, unread)


def _json(file: SourceFile, use_case: UseCase, columns: list[str]) -> Iterator[RowPart]:
    """A file of lines at a time is held whole: types are known when all of it was read."""
    alone = use_case.source.model_copy(update={"json_lines": file.address})
    rows = READERS["json"](use_case.model_copy(update={"source": alone}), None)
    chosen = [name for name in columns if name in rows.column_names]
    for batch in rows.select(chosen).to_batches(PART_ROWS):
        yield RowPart(batch, file.address, 0)


READ: Mapping[str, Callable[[SourceFile, UseCase, list[str]], Iterator[RowPart]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "json": _json,
}


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Refused in place of what Arrow says of damaged pages."""
    try:
        with failing("source", where):
            yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refused(f"source: a row of {where} can't be read: {error}") from error


def _content(file: SourceFile, kind: str) -> str:
    digest = hashlib.sha256()
    filesystem, path = place_of(file.address, f"source.{kind}")
    with failing(f"source.{kind}", file.address), filesystem.open_input_stream(path) as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _content_now(file: SourceFile, kind: str) -> tuple[int, int]:
    """Size and time of a file, by which a change is noticed."""
    filesystem, path = place_of(file.address, f"source.{kind}")
    info = filesystem.get_file_info(path)
    return info.size, info.mtime_ns


def _counted(files: list[SourceFile]) -> int | None:
    total = 0
    for file in files:
        try:
            with stream(file.address, "parquet") as opened:
                total += pq.ParquetFile(opened).metadata.num_rows
        except pa.ArrowException as error:
            raise BadInput(f"source: {file.address} can't be read: {error}") from error
    return total
