"""Rows that are to be answered, in small parts, from a source that stays as it is named.

A source's version is what its answers are known by: of a table its id and version, of files their
content, of what has neither the rows themselves.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from contract.errors import BadInput
from contract.store import sql as engine
from contract.store.rows.fingerprint import row_hashes, value_hash
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.sections.source import BatchSource, Source
from pipelines.scoring import delta_files
from pipelines.scoring.pieces import (
    PIECE_ROWS,
    FilePiece,
    HeldPiece,
    Piece,
    Pinned,
    RowPart,
    TablePiece,
    grouped,
    numbered,
    reading,
)
from pipelines.sources import delta
from pipelines.sources.files import failing, find, place_of, stream
from pipelines.sources.parts import wanted
from pipelines.sources.registry import READERS

BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class OpenedRows:
    """A source at its version."""

    title: str
    version: str
    rows: int | None  # where that is known before
    pieces: Callable[[], Iterator[Piece]]

    def parts(self) -> Iterator[RowPart]:
        """All of its rows."""
        return (part for _, part in numbered(enumerate(self.pieces())))


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

    schema = engine.plain_schema(pa.schema(read.schema().to_arrow()))
    columns_read = pa.schema([schema.field(name) for name in chosen])

    def pieces() -> Iterator[Piece]:
        first = 0
        for fact in delta_files.facts(read):
            with reading(where), delta_files.opened(read.table_uri, fact) as file:
                found = list(grouped(file.metadata))
            for groups, n_rows in found:
                yield TablePiece(read.table_uri, fact, columns_read, where, first, groups)
                first += n_rows

    counts = pa.table(read.get_add_actions()).column("num_records")
    n_rows = None if counts.null_count else sum(counts.to_pylist())
    return OpenedRows(where, f"{table.metadata().id}@{at}", n_rows, pieces)


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

    def pieces() -> Iterator[Piece]:
        for first in range(0, rows.num_rows, PIECE_ROWS):
            yield HeldPiece(rows.slice(first, PIECE_ROWS), place.place, first)

    return OpenedRows(place.place, version, rows.num_rows, pieces)


def _files(place: BatchSource, use_case: UseCase, columns: list[str]) -> OpenedRows:
    files = [Pinned.now(file, place.kind) for file in find(_address(place), place.kind)]
    version = value_hash([[one.file.address, _content(one)] for one in files])
    n_rows = _counted(files) if place.kind == "parquet" else None

    def pieces() -> Iterator[Piece]:
        for one in files:
            if place.kind != "parquet":
                yield FilePiece(one, use_case, columns)
                continue
            first = 0
            for groups, n in list(grouped(_metadata(one))):
                yield FilePiece(one, use_case, columns, first, groups)
                first += n

    return OpenedRows(place.place, version, n_rows, pieces)


def _address(place: BatchSource) -> str:
    value = getattr(place, place.kinds[place.kind])
    return str(getattr(value, "path", value))


def _content(pinned: Pinned) -> str:
    digest, where = hashlib.sha256(), f"source.{pinned.kind}"
    filesystem, path = place_of(pinned.file.address, where)
    with failing(where, pinned.file.address), filesystem.open_input_stream(path) as opened:
        while block := opened.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _counted(files: list[Pinned]) -> int:
    return sum(_metadata(one).num_rows for one in files)


def _metadata(pinned: Pinned) -> pq.FileMetaData:
    try:
        with stream(pinned.file.address, "parquet") as opened:
            return pq.ParquetFile(opened).metadata
    except pa.ArrowException as error:
        raise BadInput(f"source: {pinned.file.address} can't be read: {error}") from error
