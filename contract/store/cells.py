"""What a cell of CSV means: the one place that turns text into a value.

Every reader of CSV follows it: source, batch, labels, requests. Only the empty field is null, and
the words that a use case declares. A text column keeps every other text as it is; in the others
spaces around a value do not count.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from contract.use_case.local_time import PER_SECOND, NotOneMoment, localised
from contract.use_case.model import Column, UseCase
from contract.use_case.source import CsvFormat

INT64 = 2**63
EXACT = 2**53  # integers up to here are exact in float64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPACES = " \t"
PERCENT = "%"  # a number may carry it where it is the column's unit
TRUTH = {"true": True, "false": False}
# ISO 8601, extended: a date, or a date and a time to the microsecond at most.
ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)


class BadCell(ValueError):
    """A text that is no value of its column: what was expected and found, without the text."""


@dataclass(frozen=True)
class CellReader:
    """Reads the cells of one column."""

    column: Column
    form: CsvFormat
    zone: ZoneInfo

    def read(self, text: str) -> Any:
        """The value: str, int, float, bool or datetime in UTC; None for null.

        BadCell where it is none, NotOneMoment where it is a time that the clock skips or repeats.
        An empty text is null here; whether a field was quoted, its reader knows.
        """
        if not text or text in self.form.null_values:
            return None
        if self.column.type == "string":
            return text
        return getattr(self, f"_{self.column.type}")(text.strip(SPACES))

    def plain(self, text: str) -> str:
        """A number with a point and no other sign in it; BadCell where the text is no number."""
        if self.column.unit == PERCENT and self.column.type != "timestamp":
            text = text.removesuffix(PERCENT).rstrip(SPACES)
        if not self.number_pattern.fullmatch(text):
            raise BadCell(f"{self.column.type} expected, found text")
        if self.form.thousands:
            text = text.replace(self.form.thousands, "")
        return text.replace(self.form.decimal, ".")

    @cached_property
    def number_pattern(self) -> re.Pattern[str]:
        """Digits with an exponent, or in groups of three where a sign of thousands is declared."""
        point, thousands = re.escape(self.form.decimal), self.form.thousands
        number = rf"(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"
        if thousands:
            number += rf"|\d{{1,3}}({re.escape(thousands)}\d{{3}})+({point}\d*)?"
        return re.compile(f"[+-]?({number})", re.ASCII)

    def _number(self, text: str) -> float:
        value = float(self.plain(text))
        if value in (float("inf"), float("-inf")):
            raise BadCell("number expected, found no finite number")
        return value

    def _integer(self, text: str) -> int:
        exact = _decimal(self.plain(text))
        if exact is None or (exact and exact.adjusted() > 19) or not -INT64 <= exact < INT64:
            raise BadCell("integer expected, found an integer beyond 64 bits")
        if exact != exact.to_integral_value():
            raise BadCell("integer expected, found a number that is no integer")
        return int(exact)

    def _boolean(self, text: str) -> bool:
        if text in self.form.true_values or text in self.form.false_values:
            return text in self.form.true_values
        value = TRUTH.get(text.lower())
        if value is None:
            raise BadCell("boolean expected, found text")
        return value

    def _timestamp(self, text: str) -> datetime:
        try:
            if self.column.unit in PER_SECOND:
                return moment_of(_decimal(self.plain(text)), self.column.unit)
            if self.form.timestamp_format:
                return localised(datetime.strptime(text, self.form.timestamp_format), self.zone)
            if ISO.fullmatch(text):
                return localised(datetime.fromisoformat(text), self.zone)
        except NotOneMoment:
            raise
        except (ValueError, OverflowError):
            pass  # no day of the calendar, or beyond the years 1 to 9999
        raise BadCell("timestamp expected, found text")


def reader_of(use_case: UseCase, column: Column) -> CellReader:
    """The reader of a column's cells, as the use case's CSV files are written."""
    return CellReader(column, use_case.csv_format, use_case.zone)


def moment_of(number: Decimal | int | float | None, unit: str) -> datetime:
    """The moment so many units after 1970; ValueError where it is no whole microsecond.

    A float counts to the nearest microsecond, for it holds no more.
    """
    if number is None:
        raise ValueError("no number")
    if isinstance(number, float):
        micros = round(number * (1_000_000 / PER_SECOND[unit]))
    else:
        exact = Decimal(number) * 1_000_000 / PER_SECOND[unit]
        if exact and exact.adjusted() > 19:
            raise OverflowError("beyond the year 9999")
        micros = int(exact.to_integral_value())
        if micros != exact:
            raise ValueError("finer than a microsecond")
    return EPOCH + timedelta(microseconds=micros)


def _decimal(text: str) -> Decimal | None:
    """The exact number; None beyond what decimals hold."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


# What people often mean by a cell that can't be read, as the declaration that would read it.
MEANT: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("numbers are written 1,5", {"decimal": ","}),
    ("numbers are written 1,234.5", {"thousands": ","}),
    ("numbers are written 1.234,5", {"decimal": ",", "thousands": "."}),
    ("numbers are written 1 234", {"thousands": " "}),
    ("numbers are written 1 234,5", {"decimal": ",", "thousands": " "}),
    ("numbers are written 1'234", {"thousands": "'"}),
    ("yes and no are meant", {"true_values": ("yes",), "false_values": ("no",)}),
    ("Yes and No are meant", {"true_values": ("Yes",), "false_values": ("No",)}),
    ("1 is true and 0 is false", {"true_values": ("1",), "false_values": ("0",)}),
    ("Y is true and N is false", {"true_values": ("Y",), "false_values": ("N",)}),
    *(
        (f"{word} means no value", {"null_values": (word,)})
        for word in ("NA", "N/A", "n/a", "#N/A", "null", "NULL", "nan", "NaN", "None", "-", "?")
    ),
    *(
        ("times are written so", {"timestamp_format": day + clock})
        for day in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d")
        for clock in ("", " %H:%M", " %H:%M:%S")
    ),
)


def proposal(text: str, reader: CellReader) -> str:
    """The declaration by which a cell that can't be read could be; "" where none is known.

    Its words are ours: of the text nothing is repeated.
    """
    column, form = reader.column, reader.form
    units = {"number": PERCENT, "integer": PERCENT, "timestamp": "s"}
    for case, changes in MEANT:
        if _reads(text, CellReader(column, form.model_copy(update=changes), reader.zone)):
            declared = ", ".join(f"{name}: {_yaml(value)}" for name, value in changes.items())
            return f"if {case}, declare csv: {{{declared}}}"
    if unit := units.get(column.type):
        unit_column = column.model_copy(update={"unit": unit})
        if _reads(text, CellReader(unit_column, form, reader.zone)):
            if unit == PERCENT:
                return "if it is a share in percent, declare unit: '%' at the column"
            return "if times are numbers (Unix time), declare unit: s, ms, us or ns at the column"
    return ""


def _reads(text: str, reader: CellReader) -> bool:
    try:
        reader.read(text)
    except NotOneMoment:
        return True
    except BadCell:
        return False
    return True


def _yaml(value: object) -> str:
    return f"[{', '.join(map(repr, value))}]" if isinstance(value, tuple) else repr(value)
