"""Columns as sent become checked columns; an error names row, column and types, never a value."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final, NoReturn
from zoneinfo import ZoneInfo

import msgspec

from contract.store.cells import EXACT, INT64, ISO, moment_of
from contract.use_case.event_time import FLAG, judgeable
from contract.use_case.loader import nearest
from contract.use_case.local_time import PER_SECOND, NotOneMoment, localised
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from serving.requests.errors import Problem

LONGEST_HINT = 100  # characters of an unknown name that are compared with ours
MISSING: Final = object()  # the row does not name the column

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class SentColumns:
    """Columns as they were sent, (n_rows,) values each, not yet checked."""

    columns: Columns
    n_rows: int


class CheckedColumns(msgspec.Struct, frozen=True):
    """Columns of the declared types, (n_rows,) values each."""

    features: dict[str, list[Any]]
    keys: dict[str, list[Any]]
    event_time: list[datetime | None]
    flags: list[list[str]]  # what is unusual in a row: "unseen:<column>", "out_of_range:<column>"

    @property
    def n_rows(self) -> int:
        """How many rows were sent."""
        return len(self.event_time)


def optional(use_case: UseCase) -> dict[str, Column]:
    """Keys, event time and weight that are no inputs: accepted beside them, and nullable here."""
    beside, inputs = (*use_case.keys, use_case.event_time, use_case.weight), use_case.inputs
    names = [name for name in beside if name and name not in inputs]
    return {n: use_case.columns[n].model_copy(update={"nullable": True}) for n in names}


def transpose(rows: Sequence[Mapping[str, Any]]) -> SentColumns:
    """Rows that each name their columns, as columns; MISSING where a row does not."""
    names = dict.fromkeys(name for row in rows for name in row)
    return SentColumns({n: [row.get(n, MISSING) for row in rows] for n in names}, len(rows))


def bounded(n_rows: int, max_rows: int) -> None:
    """A Problem unless there is a row, and no more than are allowed."""
    if not n_rows:
        raise Problem("bad_body", "There are no rows; one at least is needed.")
    if n_rows > max_rows:
        raise Problem("too_much", f"{n_rows} rows were sent, at most {max_rows} are allowed.")


def check(sent: SentColumns, use_case: UseCase) -> CheckedColumns:
    """Check every cell against the use case; a Problem at the first that does not fit."""
    extra, zone = optional(use_case), use_case.zone
    declared = {n: use_case.columns[n] for n in use_case.inputs} | extra
    for name, values in sent.columns.items():
        if name not in declared:
            row = next(i for i, value in enumerate(values) if value is not MISSING)
            hint = nearest(name[:LONGEST_HINT], list(declared))
            raise Problem("bad_cell", f"unknown column; {hint}", row)
    flags: list[list[str]] = [[] for _ in range(sent.n_rows)]
    columns: dict[str, list[Any]] = {}
    for name, column in declared.items():
        default = None if name in extra else MISSING
        values = sent.columns.get(name) or [default] * sent.n_rows
        if name in extra:
            values = [None if value is MISSING else value for value in values]
        columns[name] = [cell(value, row, name, column, zone) for row, value in enumerate(values)]
        _flag(columns[name], name, column, flags)
    return CheckedColumns(
        {name: columns[name] for name in use_case.inputs},
        {key: columns[key] for key in use_case.keys},
        columns[use_case.event_time] if use_case.event_time else [None] * sent.n_rows,
        flags,
    )


def cell(value: Any, row: int, name: str, column: Column, zone: ZoneInfo) -> Any:
    """A value of the column's type; a Problem where what was sent is none.

    A time without an offset is read by the clock of the zone.
    """
    if value is None:
        if not column.nullable:
            refuse(row, name, column.type, "null")
        return None
    if value is MISSING:
        raise Problem("bad_cell", "it is missing.", row, name)
    try:
        read = read_value(value, column, zone)
    except NotOneMoment as error:
        raise Problem("bad_cell", f"{error}.", row, name) from None
    if read is None:
        refuse(row, name, column.type, _kind(value, column))
    return read


def _flag(values: list[Any], name: str, column: Column, flags: list[list[str]]) -> None:
    """Note what is declared to be unusual, or refuse it where the column's policy says so."""
    if column.categories:
        categories = {None, *column.categories}
        for row, value in enumerate(values):
            if value not in categories:
                if column.unseen == "reject":
                    refuse(row, name, f"one of {', '.join(column.categories)}", "another value")
                flags[row].append(f"unseen:{name}")
    if (column.min, column.max) != (None, None):
        low = -math.inf if column.min is None else column.min
        high = math.inf if column.max is None else column.max
        for row, value in enumerate(values):
            if value is not None and not low <= value <= high:
                if column.out_of_range == "reject":
                    refuse(row, name, f"{column.type} {range_of(column)}", "a value outside")
                flags[row].append(f"{FLAG}:{name}")


def flag_times(checked: CheckedColumns, use_case: UseCase, now: datetime) -> None:
    """Note rows whose event time can't be judged now; they are answered all the same."""
    for row, moment in enumerate(checked.event_time):
        if moment is not None and not judgeable(moment, now):
            checked.flags[row].append(f"{FLAG}:{use_case.event_time}")


def range_of(column: Column) -> str:
    """The declared range in words."""
    low = f"from {column.min:g}" if column.min is not None else ""
    high = f"to {column.max:g}" if column.max is not None else ""
    return " ".join(part for part in (low, high) if part)


def refuse(row: int, name: str, expected: str, found: str) -> NoReturn:
    """The Problem of a cell, in words that tell no value."""
    raise Problem("bad_cell", f"{expected} expected, found {found}.", row, name)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return float(value) if abs(value) <= EXACT else None


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value) if -INT64 <= value < INT64 else None


def _timestamp(value: Any, unit: str, zone: ZoneInfo) -> datetime | None:
    try:
        if isinstance(value, str):
            if not ISO.fullmatch(value):  # Python reads more, and cuts nanoseconds
                return None
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo is UTC else localised(moment, zone)
        if isinstance(value, int | float):
            counts = unit in PER_SECOND and not isinstance(value, bool)
            return moment_of(value, unit) if counts else None
        if not isinstance(value, date):
            return None
        if not isinstance(value, datetime):  # a day of a Parquet file is its midnight
            value = datetime.combine(value, time())
        return localised(value, zone)
    except NotOneMoment:
        raise
    except (TypeError, ValueError, OverflowError):  # year 1 east of Greenwich is no UTC time
        return None


def read_value(value: Any, column: Column, zone: ZoneInfo) -> Any:
    """A plain value as one of the column's type, None where it is none.

    NotOneMoment where it is a time without an offset that the clock of the zone skips or repeats.
    """
    if column.type == "timestamp":
        return _timestamp(value, column.unit, zone)
    return _READ[column.type](value)


_READ: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}


def _kind(value: Any, column: Column) -> str:
    """What was found, in words that let the caller mend it."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        if column.type == "number":
            whole = isinstance(value, int)
            return "an integer that float64 does not hold" if whole else "no finite number"
        if column.type == "integer":
            large = isinstance(value, int) or (math.isfinite(value) and value.is_integer())
            return "an integer beyond 64 bits" if large else "a number that is no integer"
        return "number"
    if column.type == "timestamp" and isinstance(value, str):
        return "text that is no ISO 8601 time such as 2024-01-31T12:30:00Z"
    return {str: "text", list: "list", datetime: "timestamp"}.get(type(value), "object")
