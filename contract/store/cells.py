"""What a cell of CSV means: the one place that turns text into a value.

Every reader of CSV follows it: source, batch, labels, requests. Only the empty field is null, and
the words that a use case declares. A text column keeps every other text as it is; in the others
spaces around a value do not count.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from math import isinf
from typing import Any
from zoneinfo import ZoneInfo

from contract.use_case.local_time import PER_SECOND, NotOneMoment, localised
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import CsvFormat

INT64 = 2**63
EXACT = 2**53  # integers up to here are exact in float64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPACES = " \t"
PERCENT = "%"  # a number may carry it where it is the column's unit
TRUTH = {"true": True, "false": False}
USUAL_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
# ISO 8601, extended: a date, or a date and a time to the microsecond at most.
ISO = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6}0*)?)?(?:Z|[+-]\d\d(?::?[0-5]\d)?)?)?",
    re.ASCII,
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
        return None if text in self._nulls else self._value(text)

    def plain(self, text: str) -> str:
        """A number with a point and no other sign in it; BadCell where the text is no number."""
        if self.column.unit == PERCENT and self.column.type != "timestamp":
            text = text.removesuffix(PERCENT).rstrip(SPACES)
        if not self.number_pattern.fullmatch(text):
            raise BadCell(f"{self.column.type} expected, found text")
        if self.form.thousands:
            text = text.replace(self.form.thousands, "")
        return text if self.form.decimal == "." else text.replace(self.form.decimal, ".")

    @cached_property
    def _is_usual(self) -> Callable[[str], object]:
        """Whether Python reads a text as the number that it is here."""
        if self.form.decimal == "." and not self.form.thousands:
            return self.number_pattern.fullmatch
        return lambda _: None

    @cached_property
    def _nulls(self) -> frozenset[str]:
        return frozenset(("", *self.form.null_values))

    @cached_property
    def _value(self) -> Callable[[str], Any]:
        kinds: dict[str, Callable[[str], Any]] = {
            "string": str,
            "number": self._number,
            "integer": self._integer,
            "boolean": self._boolean,
            "timestamp": self._timestamp,
        }
        return kinds[self.column.type]

    @cached_property
    def number_pattern(self) -> re.Pattern[str]:
        """Digits with an exponent, or in groups of three where a sign of thousands is declared."""
        point, thousands = re.escape(self.form.decimal), self.form.thousands
        number = rf"(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d+)?"
        if thousands:
            number += rf"|\d{{1,3}}({re.escape(thousands)}\d{{3}})+({point}\d*)?"
        return re.compile(f"[+-]?({number})", re.ASCII)

    def _number(self, text: str) -> float:
        value = float(text if self._is_usual(text) else self.plain(text.strip(SPACES)))
        if isinf(value):
            raise BadCell("number expected, found no finite number")
        return value

    def _integer(self, text: str) -> int:
        if USUAL_INTEGER.fullmatch(text):
            return int(text)
        exact = _decimal(self.plain(text.strip(SPACES)))
        if exact is None or (exact and exact.adjusted() > 19) or not -INT64 <= exact < INT64:
            raise BadCell("integer expected, found an integer beyond 64 bits")
        if exact != exact.to_integral_value():
            raise BadCell("integer expected, found a number that is no integer")
        return int(exact)

    def _boolean(self, text: str) -> bool:
        text = text.strip(SPACES)
        if text in self.form.true_values or text in self.form.false_values:
            return text in self.form.true_values
        value = TRUTH.get(text.lower())
        if value is None:
            raise BadCell("boolean expected, found text")
        return value

    def _timestamp(self, text: str) -> datetime:
        text = text.strip(SPACES)
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
        exact = Decimal(number)
        if exact and exact.adjusted() > 21:  # in any unit, and before decimals overflow themselves
            raise OverflowError("beyond the year 9999")
        exact = exact * 1_000_000 / PER_SECOND[unit]
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
