"""Pieces of a source: what one worker reads alone, and the small parts in which it is answered.

A piece is a value that can travel to another machine; read anywhere it gives the same parts in the
same order, so an answer is named by piece and part whoever gave it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from contract.errors import Refused
from contract.use_case.model import UseCase
from pipelines.scoring import delta_files
from pipelines.sources import csv
from pipelines.sources.files import SourceFile, failing, place_of, stream
from pipelines.sources.parts import wanted, with_folder_values
from pipelines.sources.registry import READERS

PART_ROWS = 10_000
PIECE_ROWS = 200_000  # at least, where row groups end: three seconds of a core
PIECES_BITS = 32  # of a part's number are the part within its piece


@dataclass(frozen=True)
class RowPart:
    """Some rows of a source, and where they stand."""

    rows: pa.RecordBatch
    where: str  # the table or file
    first: int  # the row of it that comes first here, from 0
    unread: Mapping[int, str] = field(default_factory=dict)  # by row of the part: why it is none


class Piece(Protocol):
    """Rows that one worker reads."""

    def parts(self) -> Iterator[RowPart]:
        """Them, in their order; Refused or BadInput where they can't be read any more."""


def numbered(pieces: Iterable[tuple[int, Piece]]) -> Iterator[tuple[int, RowPart]]:
    """Every part of pieces with their numbers, under a number of its own among all of a source."""
    for number, piece in pieces:
        for at, part in enumerate(piece.parts()):
            yield number << PIECES_BITS | at, part


@dataclass(frozen=True)
class Pinned:
    """A file as it was when its content became the name of the job."""

    file: SourceFile
    kind: str
    size: int
    mtime_ns: int
    tag: str  # of an object in S3, whose times are whole seconds

    @classmethod
    def now(cls, file: SourceFile, kind: str) -> "Pinned":
        """The file as it is; BadInput where it is not there."""
        filesystem, path = place_of(file.address, f"source.{kind}")
        with failing(f"source.{kind}", file.address):
            info = filesystem.get_file_info(path)
            with filesystem.open_input_file(path) as opened:
                tag = (opened.metadata() or {}).get("ETag", b"").decode()
        return cls(file, kind, info.size, info.mtime_ns, tag)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Refused where it is another file before or after."""
        self._check()
        yield
        self._check()

    def _check(self) -> None:
        if self.now(self.file, self.kind) != self:
            raise Refused(f"source: {self.file.address} changed while it was read; run again.")


@dataclass(frozen=True)
class FilePiece:
    """A file, or some row groups of one."""

    pinned: Pinned
    use_case: UseCase
    columns: list[str]
    first: int = 0
    groups: tuple[int, ...] | None = None  # None: all of a file that has none

    def parts(self) -> Iterator[RowPart]:
        """Refused where the file is no longer the same."""
        file, first = self.pinned.file, self.first
        with self.pinned.unchanged(), reading(file.address):
            for part in READ[self.pinned.kind](self):
                for one in _parts(part.rows, file.address, first, part.unread):
                    yield _placed(one, file, self.use_case)
                first += part.rows.num_rows


@dataclass(frozen=True)
class TablePiece:
    """Some row groups of a file of a Delta table."""

    address: str
    fact: Mapping[str, Any]  # what the table says of the file
    wanted: pa.Schema
    where: str
    first: int
    groups: tuple[int, ...]

    def parts(self) -> Iterator[RowPart]:
        """Files of a table never change."""
        with reading(self.where), delta_files.opened(self.address, self.fact) as file:
            first = self.first
            for rows in delta_files.batches(file, self.groups, self.fact, self.wanted, PART_ROWS):
                yield RowPart(rows, self.where, first)
                first += rows.num_rows


@dataclass(frozen=True)
class HeldPiece:
    """Rows that nothing can name but themselves."""

    rows: pa.Table
    where: str
    first: int

    def parts(self) -> Iterator[RowPart]:
        """As they came."""
        first = self.first
        for batch in self.rows.to_batches(PART_ROWS):
            yield RowPart(batch, self.where, first)
            first += batch.num_rows


def grouped(metadata: pq.FileMetaData) -> Iterator[tuple[tuple[int, ...], int]]:
    """Row groups of a file that make a piece, and how many rows they hold; one that holds none is
    of a file without rows."""
    groups, n_rows = list[int](), 0
    for group in range(metadata.num_row_groups):
        groups.append(group)
        n_rows += metadata.row_group(group).num_rows
        if n_rows >= PIECE_ROWS:
            yield tuple(groups), n_rows
            groups, n_rows = [], 0
    if groups or not metadata.num_row_groups:
        yield tuple(groups), n_rows


def _placed(part: RowPart, file: SourceFile, use_case: UseCase) -> RowPart:
    if not file.values:
        return part
    rows = with_folder_values(pa.Table.from_batches([part.rows]), file, use_case)
    (batch,) = rows.combine_chunks().to_batches()
    return RowPart(batch, part.where, part.first, part.unread)


def _parts(
    batch: pa.RecordBatch, where: str, first: int, unread: Mapping[int, str]
) -> Iterator[RowPart]:
    for at in range(0, batch.num_rows, PART_ROWS):
        rows = batch.slice(at, PART_ROWS)
        here = {row - at: why for row, why in unread.items() if 0 <= row - at < PART_ROWS}
        yield RowPart(rows, where, first + at, here)


def _parquet(piece: FilePiece) -> Iterator[RowPart]:
    address = piece.pinned.file.address
    with stream(address, "parquet") as opened:
        parquet = pq.ParquetFile(opened)
        names = wanted(parquet.schema_arrow.names, piece.use_case, f"source: {address}")
        chosen = [name for name in piece.columns if name in names]
        for batch in parquet.iter_batches(PART_ROWS, row_groups=piece.groups, columns=chosen):
            yield RowPart(batch, address, 0)


def _csv(piece: FilePiece) -> Iterator[RowPart]:
    address, use_case = piece.pinned.file.address, piece.use_case
    names = wanted(csv.head(address, use_case.csv_format), use_case, f"source: {address}")
    chosen = [name for name in piece.columns if name in names]
    for batch, unread in csv.batches_with_reasons(address, use_case):
        yield RowPart(batch.select(chosen), address, 0, unread)


def _json(piece: FilePiece) -> Iterator[RowPart]:
    """A file of lines at a time is held whole: types are known when all of it was read."""
    address, use_case = piece.pinned.file.address, piece.use_case
    alone = use_case.source.model_copy(update={"json_lines": address})
    rows = READERS["json"](use_case.model_copy(update={"source": alone}), None)
    chosen = [name for name in piece.columns if name in rows.column_names]
    for batch in rows.select(chosen).to_batches(PART_ROWS):
        yield RowPart(batch, address, 0)


READ: Mapping[str, Callable[[FilePiece], Iterator[RowPart]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "json": _json,
}


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Refused in place of what Arrow says of damaged pages."""
    try:
        with failing("source", where):
            yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refused(f"source: a row of {where} can't be read: {error}") from error
