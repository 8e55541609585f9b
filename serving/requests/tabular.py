"""Rows as CSV, Parquet or lists, as columns; cells of CSV mean what they mean in a source."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from contract.store.cells import BadCell, CellReader, reader_of
from contract.use_case.local_time import NotOneMoment
from contract.use_case.model import UseCase
from serving.requests.columns import CheckedColumns, SentColumns, bounded, check, optional
from serving.requests.errors import Problem

if TYPE_CHECKING:
    import pyarrow as pa

QUOTED_EMPTY = "\udc00"  # stands for "" in a body: a lone surrogate is in no UTF-8
PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def csv_columns(body: bytes, use_case: UseCase, max_rows: int) -> SentColumns:
    """Columns of a CSV body with a line of names, in UTF-8, else as the use case's files are."""
    sign = use_case.csv_format.delimiter
    try:
        text = _marked(body.decode("utf-8-sig"), sign)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
        names = next(lines, [])
        rows = [line for line in _at_most(lines, max_rows) if line]
    except (csv.Error, ValueError):
        raise Problem("bad_body", "The body is not valid CSV in UTF-8.") from None
    sent = matrix(rows, names, "The CSV body")
    declared = {n: use_case.columns[n] for n in use_case.inputs} | optional(use_case)
    columns = {
        name: _cells(values, name, reader_of(use_case, declared[name]))
        if name in declared
        else values
        for name, values in sent.columns.items()
    }
    return SentColumns(columns, sent.n_rows)


def _marked(text: str, delimiter: str) -> str:
    """The text with a mark in each quoted empty field, which csv gives like an empty one."""
    if '""' not in text:
        return text
    quoted = rf'(?:^|(?<=[{re.escape(delimiter)}\r\n]))"(?:[^"]|"")*"'
    return re.sub(quoted, lambda m: QUOTED_EMPTY if m[0] == '""' else m[0], text)


def _cells(texts: Sequence[str], name: str, reader: CellReader) -> list[Any]:
    """Values of a column's cells, each text read once; a Problem at the first that can't be."""
    known: dict[str, Any] = {}
    for text in dict.fromkeys(texts):
        try:
            known[text] = reader.read(text.removeprefix(QUOTED_EMPTY))
        except (BadCell, NotOneMoment) as error:
            raise Problem("bad_cell", f"{error}.", texts.index(text), name) from None
    if QUOTED_EMPTY in known and reader.column.type == "string":
        known[QUOTED_EMPTY] = ""
    return [known[text] for text in texts]


def checked_parquet(
    body: bytes, use_case: UseCase, max_rows: int, max_bytes: int
) -> CheckedColumns:
    """Columns of a Parquet body, checked; the index that pandas writes beside them is left out.

    Whole columns at a time where they fit; a column that does not is read cell by cell, for the
    Problem that names the row.
    """
    from serving.requests.arrow_columns import read_batch

    table = _parquet_table(body, use_case, max_rows, max_bytes)
    bounded(table.num_rows, max_rows)
    if (read := read_batch(table, use_case)) is not None:
        return read.plain(use_case)
    columns = {name: _values(table.column(name), name) for name in table.column_names}
    return check(SentColumns(columns, table.num_rows), use_case)


def _parquet_table(body: bytes, use_case: UseCase, max_rows: int, max_bytes: int) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(pa.BufferReader(body))
        flat = {metadata.schema.column(at).path for at in range(metadata.num_columns)}
        texts = [n for n in use_case.inputs if use_case.columns[n].type == "string" and n in flat]
        file = pq.ParquetFile(pa.BufferReader(body), metadata=metadata, read_dictionary=texts)
        if metadata.num_rows > max_rows:
            what = f"{metadata.num_rows} rows were sent, at most {max_rows} are allowed."
            raise Problem("too_much", what)
        groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        if sum(groups) > max_bytes:
            raise Problem("too_much", f"The unpacked rows are larger than {max_bytes} bytes.")
        table = file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        raise Problem("bad_body", "The body is not valid Parquet.") from None
    names = [name for name in table.column_names if not PANDAS_INDEX.fullmatch(name)]
    if len(set(names)) != len(names):
        raise Problem("bad_body", "The Parquet body names a column twice.")
    return table.select(names)


def matrix(data: Any, columns: list[str], form: str) -> SentColumns:
    """Rows that are lists, under these names."""
    if len(set(columns)) != len(columns):
        raise Problem("bad_body", f"{form} names a column twice.")
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise Problem("bad_body", f"{form} must be a list of rows.")
    for i, row in enumerate(data):
        if len(row) != len(columns):
            what = f"{len(columns)} values expected, found {len(row)}."
            raise Problem("bad_body", what, i)
    return SentColumns(
        dict(zip(columns, map(list, zip(*data, strict=True)), strict=False)), len(data)
    )


def _at_most(lines: Iterator[list[str]], max_rows: int) -> Iterator[list[str]]:
    """The lines, so far as they may still be answered: what follows is not read."""
    for count, line in enumerate(lines):
        if count > 2 * max_rows:  # empty lines are left out and counted all the same
            raise Problem("too_much", f"More than {max_rows} rows were sent.")
        yield line


def _values(column: "pa.ChunkedArray", name: str) -> list[Any]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        # Its texts are made once each, however many rows repeat them.
        return [
            None if index is None else values[index]
            for chunk in column.chunks
            for values in [chunk.dictionary.to_pylist()]
            for index in chunk.indices.to_pylist()
        ]
    if pa.types.is_timestamp(kind):
        try:
            column = column.cast(pa.timestamp("us", kind.tz))
        except pa.ArrowInvalid:
            what = "timestamp in microseconds expected, found a finer one."
            raise Problem("bad_cell", what, column=name) from None
    values: list[Any] = column.to_pylist()
    return values
