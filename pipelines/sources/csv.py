"""CSV files with a line of names, read as the use case says they are written.

Cells are read by `contract.store.cells`. What can't be read is named by line and column, never by
its content.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TextIO

import pyarrow as pa
import pyarrow.csv

from contract.errors import BadInput
from contract.store.cells import reader_of
from contract.store.schema import TYPES, with_notes
from contract.store.text_columns import read_texts
from contract.use_case.model import UseCase
from contract.use_case.sections.source import CsvFormat
from pipelines.sources.files import SourceFile, stream
from pipelines.sources.newer import Newer
from pipelines.sources.parts import read_files, wanted
from pipelines.sources.proposals import proposal

BLOCK_BYTES = 16 * 2**20  # a field can't be longer
BYTE_ORDER_MARK = "\ufeff"
DELIMITERS = (";", "\t", "|", ",")


def read(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """The wanted columns, declared ones by their types, others as text.

    A column with a cell that can't be read has no values there, and the reason in its field's
    metadata: `conform` refuses all such columns at once.
    """
    types = {n: TYPES[c.type] for n, c in use_case.columns.items()}

    def read_file(file: SourceFile) -> pa.Table:
        path, notes = file.address, dict[str, str]()
        places = wanted(head(path, use_case.csv_format), use_case, f"source.csv: {path}")
        schema = pa.schema([(name, types.get(name, pa.string())) for name in places])
        batches = (batch.select(list(places)) for batch in _typed(path, use_case, notes))
        rows = pa.Table.from_batches(batches, schema)
        return with_notes(rows, notes)

    address = use_case.source.csv.path if use_case.source.csv else ""
    return read_files(address, "csv", use_case, newer, read_file)


def batches_with_reasons(
    path: str, use_case: UseCase
) -> Iterator[tuple[pa.RecordBatch, dict[int, str]]]:
    """The rows in batches, and by row of the batch why a cell of it can't be read; where the first
    of each column stands is said by its line."""
    notes: dict[str, str] = {}
    for batch, unread in _noted(path, use_case, notes):
        reasons: dict[int, str] = {}
        for name, wrong in unread.items():
            first, note = min(wrong), notes.pop(name, "")
            for row, why in wrong.items():
                said = f", {note}" if note and row == first else f": {why}"
                reasons.setdefault(row, f"column {name!r}{said}")
        yield batch, reasons


def _typed(path: str, use_case: UseCase, notes: dict[str, str]) -> Iterator[pa.RecordBatch]:
    """The rows in batches; what can't be read is null, and the first such cell of a column noted.

    A time that the clock skips or shows twice is null in a column that may hold none, so that
    validation sets its row apart; a nullable column would keep the null, and so is noted.
    """
    for batch, _ in _noted(path, use_case, notes):
        yield batch


def _noted(
    path: str, use_case: UseCase, notes: dict[str, str]
) -> Iterator[tuple[pa.RecordBatch, dict[str, dict[int, str]]]]:
    """The rows in batches, with what can't be read of them by column and row."""
    row, noted = 0, set[str]()
    for batch in text_batches(path, use_case.csv_format):
        rows, unread = _read_cells(batch, use_case)
        for name, wrong in unread.items():
            if name not in noted:
                noted.add(name)
                first, reader = min(wrong), reader_of(use_case, use_case.columns[name])
                hint = proposal(batch.column(name)[first].as_py(), reader)
                line = _line(path, use_case.csv_format, _is_row(row + first))
                notes[name] = f"line {line}: {wrong[first]}{hint and '; ' + hint}"
        yield rows, unread
        row += batch.num_rows


def _read_cells(
    batch: pa.RecordBatch, use_case: UseCase
) -> tuple[pa.RecordBatch, dict[str, dict[int, str]]]:
    """A batch of texts with the cells of declared columns read; by column and row, why one can't
    be, in whose place null stands."""
    names, columns = batch.schema.names, batch.columns
    unread: dict[str, dict[int, str]] = {}
    for at, name in enumerate(names):
        if name in use_case.columns:
            reader = reader_of(use_case, use_case.columns[name])
            found = read_texts(columns[at], reader)
            wrong = found.unreadable | (found.unplaced if reader.column.nullable else {})
            if wrong:
                unread[name] = wrong
            columns[at] = found.values
    return pa.RecordBatch.from_arrays(columns, names=names), unread


def text_batches(path: str, form: CsvFormat) -> Iterator[pa.RecordBatch]:
    """The rows in batches, every cell as its text: an empty field is null, a quoted one empty text.

    BadInput where the file is not there or is not written so.
    """
    names = head(path, form)
    ragged: list[pyarrow.csv.InvalidRow] = []

    def note(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    try:
        last: pa.RecordBatch | None = None
        quotes = False
        for last in pyarrow.csv.open_csv(
            stream(path, "csv"),
            read_options=pyarrow.csv.ReadOptions(block_size=BLOCK_BYTES, encoding=form.encoding),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=form.delimiter, newlines_in_values=True, invalid_row_handler=note
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        ):
            yield last
            quotes = quotes or _holds_quotes(last)
        if quotes or _may_lack_a_quote(form, last):
            _check_quotes(path, form)
    except UnicodeError as error:
        raise undecoded(path, form) from error
    except OSError as error:
        raise BadInput(f"source: {path} can't be read: {error}") from error
    except pa.ArrowInvalid as error:
        if ragged:
            raise _ragged(path, form, ragged[0].expected_columns) from None
        if "UTF8" in str(error):
            raise undecoded(path, form) from None
        raise endless(path) from None


def head(path: str, form: CsvFormat) -> list[str]:
    """The names of the first line; BadInput where it has none."""
    with lines(path, form) as rows:
        names, _ = next(rows, ([], 0))
    check_head(names, path)
    return names


def check_head(names: list[str], path: str) -> None:
    """BadInput where a first line names no columns."""
    if not any(names):
        raise BadInput(f"source: {path} is empty; a line of names is needed.")
    if len(names) == 1 and (sign := next((s for s in DELIMITERS if s in names[0]), None)):
        raise BadInput(
            f"source: the first line of {path} holds one name; if fields are separated by "
            f"{sign!r}, declare csv: {{delimiter: {json.dumps(sign)}}}."
        )


def _holds_quotes(rows: pa.RecordBatch) -> bool:
    """Whether a quote stands in any cell: a doubled one is fine, Arrow keeps others and drops what
    is around them."""
    texts = (column.buffers()[2] for column in rows.columns)
    return any(text is not None and b'"' in text.to_pybytes() for text in texts)


def _may_lack_a_quote(form: CsvFormat, last: pa.RecordBatch | None) -> bool:
    """Whether the last field may have an opening quote alone, and hold the rest of the file."""
    end = str(last.column(last.num_columns - 1)[-1].as_py()) if last and last.num_rows else ""
    return bool({form.delimiter, "\n", "\r"}.intersection(end))


def _check_quotes(path: str, form: CsvFormat) -> None:
    """BadInput where a quoted field has no end, or goes on after it."""
    with lines(path, form, strict=True) as rows:
        for _ in rows:
            pass


def _is_row(row: int) -> Callable[[int, list[str]], bool]:
    return lambda number, _: number == row


def _line(path: str, form: CsvFormat, wanted: Callable[[int, list[str]], bool]) -> int:
    """The line where the first wanted row begins; fields may hold line breaks."""
    with lines(path, form) as rows:
        next(rows, None)
        found = (line for number, (fields, line) in enumerate(rows) if wanted(number, fields))
        return next(found, 0)


@contextmanager
def lines(
    path: str, form: CsvFormat, strict: bool = False
) -> Iterator[Iterator[tuple[list[str], int]]]:
    """The rows that are not empty, names first, each with the number of its first line."""
    try:
        with stream(path, "csv") as content:
            yield numbered(io.TextIOWrapper(content, form.encoding, newline=""), form, strict)
    except UnicodeError as error:
        raise undecoded(path, form) from error
    except (OSError, csv.Error) as error:
        raise BadInput(f"source: {path} can't be read: {error}") from error


def numbered(text: TextIO, form: CsvFormat, strict: bool) -> Iterator[tuple[list[str], int]]:
    """The rows of a text that are not empty, each with the number of its first line."""
    csv.field_size_limit(BLOCK_BYTES)
    all_lines = chain([next(text, "").removeprefix(BYTE_ORDER_MARK)], text)
    reader = csv.reader(all_lines, delimiter=form.delimiter, strict=strict)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield fields, line
            line = reader.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error):
            raise csv.Error(f"the quoted field in line {line} has no end.") from None
        if "field limit" in str(error):
            raise csv.Error(
                f"in line {line} a field is longer than {BLOCK_BYTES // 2**20} MiB, or its quote "
                "has no end."
            ) from None
        raise csv.Error(
            f"in line {line} a quoted field goes on after its quote; a quote inside of a field is "
            'written twice (""), not with a backslash.'
        ) from None


def _ragged(path: str, form: CsvFormat, n_names: int) -> BadInput:
    line = _line(path, form, lambda _, fields: len(fields) != n_names)
    return BadInput(
        f"source: {path}, line {line} has more or fewer fields than the {n_names} names of the "
        "first line; a field that holds the delimiter or a line break needs quotes."
    )


def endless(path: str) -> BadInput:
    """What is said of a file whose last field never ends."""
    return BadInput(
        f"source: {path} is no CSV: a quoted field has no end, or more than "
        f"{BLOCK_BYTES // 2**20} MiB."
    )


def undecoded(path: str, form: CsvFormat) -> BadInput:
    """What is said of a file in another encoding than declared."""
    return BadInput(
        f"source: {path} is not written in {form.encoding}; declare how, e.g. "
        "csv: {encoding: latin-1}, cp1252 or utf-16."
    )
