"""CSV files some of whose lines may be broken: those are set apart, the others are read.

For files that people and other systems send every day, of which one bad line must not hold up the
rest. What is no text at all, or has no end of a quoted field, can't be told apart by lines.
"""

import codecs
import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from contract.errors import BadInput
from contract.use_case.sections.source import CsvFormat
from pipelines.sources.csv import (
    BLOCK_BYTES,
    BYTE_ORDER_MARK,
    check_head,
    endless,
    numbered,
    undecoded,
)
from pipelines.sources.files import failing, stream

NO_TEXT = b"\x00"  # in every usual picture, archive or database; in no text


@dataclass(frozen=True)
class BrokenRow:
    """A row that can't be read: its number in the file, from 0, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class ReadRows:
    """Cells as texts, empty ones null, the number of each row in the file, and the broken rows."""

    rows: pa.Table
    numbers: list[int]  # (n_rows,), from 0
    broken: list[BrokenRow]


@dataclass(frozen=True)
class BrokenCsv:
    """The content of one file as UTF-8; bytes that are none in its encoding stay as they are."""

    path: str
    form: CsvFormat
    content: bytes

    @classmethod
    def open(cls, path: str, form: CsvFormat) -> "BrokenCsv":
        """BadInput where there is no such file, or it holds no text."""
        with failing("source", path), stream(path, "csv") as file:
            content = bytes(file.read())
        try:
            if codecs.lookup(form.encoding).name != "utf-8":
                text = content.decode(form.encoding, "surrogateescape")
                content = text.encode("utf-8", "surrogateescape")
        except UnicodeError as error:
            raise undecoded(path, form) from error
        if NO_TEXT in content:
            raise BadInput(
                f"source: {path} is no text in {form.encoding}: it holds NUL bytes, as pictures "
                "and archives do; if it is text, declare how it is written, e.g. "
                "csv: {encoding: utf-16}."
            )
        return cls(path, form, content.removeprefix(BYTE_ORDER_MARK.encode()))

    @property
    def names(self) -> list[str]:
        """The fields of the first line; one that can't be decoded holds surrogates."""
        names, _ = next(self._numbered(), ([], 0))
        check_head(names, self.path)
        return names

    def read(self, wanted: Collection[str]) -> ReadRows:
        """The wanted columns. A name may stand twice, as long as both say the same in a row."""
        names = self.names
        cells, ragged = self._cells(len(names))
        numbers = np.setdiff1d(
            np.arange(cells.num_rows + len(ragged)), [b.row for b in ragged], assume_unique=True
        )
        again = np.flatnonzero(_repeats(cells, names)).tolist()
        reasons: dict[int, str] = dict.fromkeys(again, "the line of names again")
        columns: dict[str, pa.ChunkedArray] = {}
        for name in (n for n in dict.fromkeys(names) if n in wanted):
            same = [cells.column(at) for at, other in enumerate(names) if other == name]
            columns[name], unread = self._column(name, same)
            reasons |= unread
        good = np.setdiff1d(np.arange(cells.num_rows), list(reasons), assume_unique=True)
        broken = [*ragged, *(BrokenRow(int(numbers[at]), why) for at, why in reasons.items())]
        return ReadRows(
            pa.table(columns).take(good) if columns else pa.table({}),
            numbers[good].tolist(),
            sorted(broken, key=lambda one: one.row),
        )

    def _column(
        self, name: str, same: Sequence[pa.ChunkedArray]
    ) -> tuple[pa.ChunkedArray, dict[int, str]]:
        """The texts of all columns of one name, and why rows have none, by their places."""
        twice = f"column {name!r} stands twice in the file, and says two things here"
        reasons = {row: twice for other in same[1:] for row in _differ(same[0], other)}
        texts, strange = _decoded(same[0])
        foreign = (
            f"column {name!r} is not written in {self.form.encoding}; if the file is, declare "
            "how, e.g. csv: {encoding: latin-1}"
        )
        return texts, reasons | dict.fromkeys(strange, foreign)

    def lines(self, rows: Collection[int]) -> dict[int, int]:
        """The line where each of these rows begins, from 1; fields may hold line breaks."""
        found = enumerate(self._numbered(), start=-1)  # the names stand before row 0
        return {row: line for row, (_, line) in found if row in rows}

    def _cells(self, n_names: int) -> tuple[pa.Table, list[BrokenRow]]:
        """All cells as bytes, the columns named by their places, and the rows of other lengths."""
        ragged: list[BrokenRow] = []

        def set_apart(row: pyarrow.csv.InvalidRow) -> str:
            fields = f"{row.actual_columns} field{'s' * (row.actual_columns != 1)}"
            why = (
                f"{fields} where the first line has {n_names} names; a field that holds the "
                "delimiter or a line break needs quotes"
            )
            ragged.append(BrokenRow(row.number - 2, why))  # the names are row 1
            return "skip"

        places = [str(at) for at in range(n_names)]
        try:
            batches = pyarrow.csv.open_csv(
                pa.BufferReader(self.content),
                # Rows are numbered by one thread alone.
                pyarrow.csv.ReadOptions(
                    block_size=BLOCK_BYTES, column_names=places, use_threads=False
                ),
                pyarrow.csv.ParseOptions(
                    delimiter=self.form.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=set_apart,
                ),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(places, pa.binary()),
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            cells = pa.Table.from_batches(list(batches), batches.schema)
            if b'"' in self.content:
                for _ in self._numbered(strict=True):
                    pass
        except csv.Error as error:
            raise BadInput(f"source: {self.path} can't be read: {error}") from error
        except pa.ArrowInvalid as error:
            raise endless(self.path) from error
        return cells.slice(1), ragged

    def _numbered(self, strict: bool = False) -> Iterator[tuple[list[str], int]]:
        text = io.TextIOWrapper(io.BytesIO(self.content), "utf-8", "surrogateescape", newline="")
        return numbered(text, self.form, strict)


def is_decoded(name: str) -> bool:
    """Whether a name was written in the encoding that was declared."""
    return name.isprintable() or not any("\udc80" <= sign <= "\udcff" for sign in name)


def _repeats(cells: pa.Table, names: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which rows are the line of names, (n_rows,), as where files were put one after another."""
    same = np.ones(cells.num_rows, dtype=bool)
    for column, name in zip(cells.columns, names, strict=True):
        equal = pc.equal(column, pa.scalar(name.encode("utf-8", "surrogateescape"), pa.binary()))
        same &= (pc.is_null(column) if not name else pc.fill_null(equal, False)).to_numpy()
    return same


def _differ(one: pa.ChunkedArray, other: pa.ChunkedArray) -> list[int]:
    """Rows in which two columns say different things; null beside null is the same."""
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    same = pc.or_(both_null, pc.fill_null(pc.equal(one, other), False))
    return np.flatnonzero(~same.to_numpy()).tolist()


def _decoded(cells: pa.ChunkedArray) -> tuple[pa.ChunkedArray, list[int]]:
    """Bytes as texts, and the rows where they are none, which are null."""
    try:
        return cells.cast(pa.string()), []
    except pa.ArrowInvalid:
        texts = [_text(cell) for cell in cells.to_pylist()]
        strange = [row for row, text in enumerate(texts) if isinstance(text, UnicodeError)]
        values = [None if isinstance(text, UnicodeError) else text for text in texts]
        return pa.chunked_array([pa.array(values, pa.string())]), strange


def _text(cell: bytes | None) -> str | UnicodeError | None:
    try:
        return None if cell is None else cell.decode()
    except UnicodeError as error:
        return error
