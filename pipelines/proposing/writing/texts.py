"""All rows of the files, as the reader of `ingest` reads them: cells of CSV as texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.parquet

from contract.errors import BadInput
from contract.use_case.sections.source import CsvFormat
from pipelines.proposing.inferred import Inferred, LeftOut
from pipelines.proposing.question import Answers, Ask, Question, settled
from pipelines.proposing.writing.delimiter import delimiter_of, ragged
from pipelines.proposing.writing.encoding import encoding_of
from pipelines.proposing.writing.header import header_of
from pipelines.sources import csv, json_lines, values
from pipelines.sources.files import SourceFile, failing, place_of, stream

READ_BYTES = 1 << 22


@dataclass(frozen=True)
class RawColumns:
    """Columns (n_rows,) by name, as they stand in files of one kind; what can't be declared."""

    kind: str
    columns: dict[str, pa.ChunkedArray]
    form: CsvFormat
    reasons: dict[str, str]  # of the fields of `form`
    left_out: tuple[LeftOut, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class _Encoded:
    encoding: Inferred[str]
    questions: tuple[Question, ...]


def read_raw(kind: str, files: list[SourceFile], answers: dict[str, str], ask: Ask) -> RawColumns:
    """Every row of the files; BadInput where one can't be read."""
    if kind != "csv":
        read = _parquet if kind == "parquet" else _json
        rows = _one_table([_beside(read(file.address), file) for file in files])
        header = header_of(rows.column_names, files[0].address)
        columns = {name: rows.column(at) for name, at in header.places.items()}
        return RawColumns(kind, columns, CsvFormat(), {}, header.left_out, header.questions)
    return _csv(files, answers, ask)


def _csv(files: list[SourceFile], answers: dict[str, str], ask: Ask) -> RawColumns:
    first = files[0].address
    encoded = settled(lambda given: _encoded(first, given), answers, ask)
    encoding = encoded.encoding
    sign = delimiter_of(lambda s: _lines(first, s, encoding.value), first)
    form = CsvFormat(encoding=encoding.value, delimiter=sign.value)
    header = settled(lambda _: header_of(csv.head(first, form), first), answers, ask)
    tables = [_beside(_texts(file.address, form), file) for file in files]
    rows = _one_table(tables)
    columns = {name: rows.column(at) for name, at in header.places.items()}
    columns |= {name: rows.column(name) for name in files[0].values if name not in columns}
    reasons = {"encoding": encoding.reason, "delimiter": sign.reason}
    questions = (*encoded.questions, *header.questions)
    return RawColumns("csv", columns, form, reasons, header.left_out, questions)


def _encoded(address: str, given: Answers) -> _Encoded:
    encoding, question = encoding_of(_blocks(address))
    if question and question.name in given:
        encoding = Inferred(given[question.name], "as it was answered")
    return _Encoded(encoding, (question,) if question else ())


def _blocks(address: str) -> Iterator[bytes]:
    with failing("data", address), stream(address, "csv") as content:
        while block := content.read(READ_BYTES):
            yield block


def _lines(address: str, sign: str, encoding: str) -> Iterator[tuple[list[str], int]]:
    form = CsvFormat(delimiter=sign, encoding=encoding)
    with csv.lines(address, form) as found:
        yield from found


def _texts(address: str, form: CsvFormat) -> pa.Table:
    """Every cell as its text; BadInput with the lines that differ in their number of fields."""
    names = csv.head(address, form)
    schema = pa.schema([(str(at), pa.string()) for at in range(len(names))])
    try:
        batches = [
            pa.RecordBatch.from_arrays(batch.columns, schema=schema)
            for batch in csv.text_batches(address, form)
        ]
    except BadInput:
        found = _lines(address, form.delimiter, form.encoding)
        wide = [(len(fields), line) for fields, line in found if len(fields) != len(names)]
        if wide:
            raise ragged(address, form.delimiter, len(names), wide) from None
        raise
    if not batches:
        raise BadInput(f"data: {address} holds names and no rows.")
    return pa.Table.from_batches(batches).rename_columns(names)


def _parquet(address: str) -> pa.Table:
    filesystem, path = place_of(address, "source.parquet")
    try:
        with failing("source.parquet", address):
            return pyarrow.parquet.read_table(path, filesystem=filesystem, partitioning=None)
    except pa.ArrowException as error:
        raise BadInput(f"source.parquet: {address} can't be read: {error}") from error


def _json(address: str) -> pa.Table:
    where = f"source.json: {address}"
    with failing("source.json", address), stream(address, "json") as found:
        rows = list(json_lines.members(found, where))
    names = list(dict.fromkeys(chain.from_iterable(rows)))
    return values.table(names, [[[row.get(name) for row in rows] for name in names]], where)


def _beside(rows: pa.Table, file: SourceFile) -> pa.Table:
    """The columns of a file and those that the names of its folders give."""
    for name, value in file.values.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(pa.scalar(value, pa.string()), len(rows)))
    return rows


def _one_table(tables: list[pa.Table]) -> pa.Table:
    if len(tables) == 1:
        return tables[0]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BadInput(f"data: the files hold columns that differ: {error}") from None
