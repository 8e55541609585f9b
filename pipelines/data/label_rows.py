"""Rows of a labelled table as statements for `feedback`, by the very rules of `POST /feedback`."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from contract.errors import BadInput
from contract.store.cells import BadCell, CellReader, reader_of
from contract.store.feedback import feedback_schema
from contract.store.schema import check_names
from contract.use_case.local_time import NotOneMoment
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import Delta, Source, Sql
from pipelines.sources.broken_csv import BrokenCsv, BrokenRow, is_decoded
from pipelines.sources.csv import undecoded
from pipelines.sources.registry import read_source
from serving.requests.columns import SentColumns, read_value
from serving.requests.errors import Problem
from serving.requests.label_columns import check_labels, keys_of, members, names_a_row

BATCH_ROWS = 10_000


@dataclass(frozen=True)
class RefusedRow:
    """A row that is no statement: its number in the source, why, and what it said.

    `line` is the one in which it begins, from 1, where the source is a CSV file.
    """

    row: int
    reason: str
    said: dict[str, Any]
    line: int | None = None


@dataclass(frozen=True)
class LabelRows:
    """What a table says. `timed` tells which rows say when their label was known, (n_rows,)."""

    rows: pa.Table
    timed: list[bool]
    refused: list[RefusedRow]


@dataclass(frozen=True)
class LabelSource:
    """The columns of a source that feedback knows, and the lines of a CSV file that are none."""

    rows: pa.Table
    broken: list[BrokenRow] = field(default_factory=list)
    numbers: Sequence[int] = ()  # of each row in the file, (n_rows,); () where none is left out
    file: BrokenCsv | None = None

    def placed(self, refused: Sequence[RefusedRow]) -> list[RefusedRow]:
        """All refused rows of the source, by their numbers, each with its line."""
        numbers = self.numbers or range(self.rows.num_rows)
        found = [replace(one, row=numbers[one.row]) for one in refused]
        found += [RefusedRow(one.row, one.reason, {}) for one in self.broken]
        lines = self.file.lines({one.row for one in found}) if self.file and found else {}
        found = [replace(one, line=lines.get(one.row)) for one in found]
        return sorted(found, key=lambda one: one.row)


def read_labels(source: str, query: str, use_case: UseCase) -> LabelSource:
    """The rows of a file, Delta table or database by its address; BadInput where it says no label.

    Cells of CSV are still text, for each row is judged by itself.
    """
    if not source:
        raise BadInput("source: a .csv or .parquet file, a Delta table or a database is needed.")
    if source.endswith(".csv") and not query:
        return _of_csv(source, use_case)
    if query:
        named = Source(sql=Sql(url=source, query=query))
    elif source.endswith(".parquet"):
        named = Source(parquet=source)
    else:
        named = Source(delta=Delta(path=source))
    columns = use_case.columns | members(use_case)
    rows = read_source(use_case.model_copy(update={"source": named, "columns": columns}))
    taken = _taken(rows.column_names, use_case)
    return LabelSource(rows.select(list(taken)).rename_columns(list(taken.values())))


def _of_csv(path: str, use_case: UseCase) -> LabelSource:
    file = BrokenCsv.open(path, use_case.csv_format)
    names = list(dict.fromkeys(file.names))  # one that stands twice says the same, or is set apart
    try:
        taken = _taken(names, use_case)
    except BadInput:
        if all(map(is_decoded, names)):
            raise
        raise undecoded(path, use_case.csv_format) from None
    read = file.read(taken)
    rows = read.rows.select(list(taken)).rename_columns(list(taken.values()))
    return LabelSource(rows, read.broken, read.numbers, file)


def _taken(names: Sequence[str], use_case: UseCase) -> dict[str, str]:
    """Which columns say what, by their names in the source; BadInput where there is no label."""
    check_names(names, [*members(use_case), use_case.target])
    label = "label" if "label" in names else use_case.target
    said = {"label" if name == label else name: name for name in names}
    taken = {said[name]: name for name in members(use_case) if name in said}
    found = set(taken.values())
    by_key = bool(use_case.label_keys) and set(use_case.label_keys) <= found
    if "label" not in found or not ("prediction_id" in found or by_key):
        raise BadInput(
            f"source: a column label (or {use_case.target}) and {names_a_row(use_case)} are "
            f"needed, found {', '.join(names)}."
        )
    return taken


def statements(
    rows: pa.Table, use_case: UseCase, pseudonymiser: Pseudonymiser, now: datetime
) -> LabelRows:
    """Check every row; what does not fit is set apart, the rest goes on."""
    readers = {name: reader_of(use_case, column) for name, column in members(use_case).items()}
    parts: list[dict[str, list[Any]]] = []
    refused: list[RefusedRow] = []
    for start in range(0, rows.num_rows, BATCH_ROWS):
        part = rows.slice(start, BATCH_ROWS)
        columns = {n: _plain(part.column(n), readers[n]) for n in part.column_names}
        parts += _checked(_one_name(columns, use_case), start, use_case, now, refused)
    names = list(readers)
    whole: dict[str, list[Any]] = {n: [v for part in parts for v in part[n]] for n in names}
    timed = [value is not None for value in whole["label_time"]]
    whole["label_time"] = [value or now for value in whole["label_time"]]
    return LabelRows(_table(whole, use_case, pseudonymiser, now), timed, refused)


def _checked(
    columns: dict[str, list[Any]],
    start: int,
    use_case: UseCase,
    now: datetime,
    refused: list[RefusedRow],
) -> Iterator[dict[str, list[Any]]]:
    """Checked columns of a batch: at once, or row by row where one of them does not fit."""
    n_rows = len(columns["label"])
    try:
        yield check_labels(SentColumns(columns, n_rows), use_case, now)
    except Problem:
        for row in range(n_rows):
            said = {name: values[row] for name, values in columns.items()}
            try:
                one = SentColumns({name: [value] for name, value in said.items()}, 1)
                yield check_labels(one, use_case, now)
            except Problem as problem:
                column = f"column {problem.column!r}: " if problem.column else ""
                refused.append(RefusedRow(start + row, f"{column}{problem.what}", said))


def _one_name(columns: dict[str, list[Any]], use_case: UseCase) -> dict[str, list[Any]]:
    """Where a row names its prediction, its keys say nothing more."""
    ids = columns.get("prediction_id")
    if ids is None:
        return columns
    key_names = {*use_case.keys, use_case.event_time}
    return {
        name: [None if i is not None else v for i, v in zip(ids, values, strict=True)]
        if name in key_names
        else values
        for name, values in columns.items()
    }


def _plain(values: pa.ChunkedArray, reader: CellReader) -> list[Any]:
    """Values as the check takes them: NaN is null, a text is read by the declared type.

    A text that can't be read stays text, and the check of its row says so.
    """
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    plain = values.to_pylist()
    if pa.types.is_floating(values.type):
        return [None if value is None or math.isnan(value) else value for value in plain]
    if pa.types.is_decimal(values.type):
        kind = reader.column.type
        return [value if value is None else _from_decimal(value, kind) for value in plain]
    return [_read(value, reader) if isinstance(value, str) else value for value in plain]


def _read(text: str, reader: CellReader) -> Any:
    try:
        return reader.read(text) if text or reader.column.type != "string" else text
    except (BadCell, NotOneMoment):
        return text


def _from_decimal(value: Decimal, kind: str) -> int | float:
    """A key may be longer than float64 holds."""
    return int(value) if kind == "integer" and value == value.to_integral_value() else float(value)


def _table(
    columns: dict[str, list[Any]], use_case: UseCase, pseudonymiser: Pseudonymiser, now: datetime
) -> pa.Table:
    n_rows = len(columns["label"])
    keys = pseudonymiser.apply(keys_of(columns, use_case))
    schema = feedback_schema({key: use_case.log_types[key] for key in keys}, use_case.answer_type)
    event_time = columns[use_case.event_time] if use_case.event_time else [None] * n_rows
    ours = {"event_time": event_time, "received_time": [now] * n_rows, "key_id": [None] * n_rows}
    values = columns | keys | ours
    return pa.table([pa.array(values[f.name], f.type) for f in schema], schema=schema)


def _as_declared(value: Any, column: Column, use_case: UseCase) -> Any:
    try:
        return read_value(value, column, use_case.zone)
    except NotOneMoment:
        return None


def refusal_rows(
    refused: Sequence[RefusedRow],
    source: str,
    use_case: UseCase,
    pseudonymiser: Pseudonymiser,
    now: datetime,
) -> pa.Table:
    """What was refused, for the table `feedback_quarantine`; everything that was said is text."""
    keys = [key for key in use_case.keys if key in use_case.log_types]
    names = ["prediction_id", *keys, "label"]

    def text(name: str, value: Any) -> str | None:
        read = _as_declared(value, use_case.columns[name], use_case) if name in keys else None
        hidden = pseudonymiser.value(
            name, value if read is None else read
        )  # 7, however it was said
        return None if hidden is None else str(hidden)

    columns: dict[str, pa.Array] = {
        "source": pa.array([source] * len(refused), pa.string()),
        "row": pa.array([r.row for r in refused], pa.int64()),
        "line": pa.array([r.line for r in refused], pa.int64()),
        "reason": pa.array([r.reason for r in refused], pa.string()),
        "received_time": pa.array([now] * len(refused), pa.timestamp("us", tz="UTC")),
    }
    for name in names:
        told = [text(name, r.said.get(name)) for r in refused]
        columns[name] = pa.array(told, pa.string())
    return pa.table(columns)
