"""The functions that derive columns, and the parts of a time: pure, one row at a time.

They see the plain values that a caller sends and that a table holds. Null in, null out; a result
that is no finite number is null, and -0.0 is 0.0. What a word means here never changes, for
versions were trained by it: another meaning is another word.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import Any, Literal

from contract.use_case.sections.column import Column, ColumnType, Logged
from contract.use_case.sections.derived import Derived, Part

Values = Callable[..., Any]  # of the columns that a function reads, one row at a time
Gives = Literal["string", "integer", "number", "boolean"]

NUMBERS = frozenset({"integer", "number"})
TIMES = frozenset({"timestamp"})
TEXTS = frozenset({"string"})
CONDITIONAL = NUMBERS | TEXTS | {"boolean"}
UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


@dataclass(frozen=True)
class TimePart:
    """A part of a local time: its smallest and largest value, and what it counts."""

    of: Callable[[datetime], int]
    low: int
    high: int
    says: str


PARTS: Mapping[str, TimePart] = {
    "year": TimePart(attrgetter("year"), 1, 9999, "year"),
    "quarter": TimePart(lambda t: (t.month + 2) // 3, 1, 4, "quarter of the year"),
    "month": TimePart(attrgetter("month"), 1, 12, "month"),
    "week": TimePart(lambda t: t.isocalendar().week, 1, 53, "week of the year (ISO 8601)"),
    "day_of_year": TimePart(lambda t: t.timetuple().tm_yday, 1, 366, "day of the year"),
    "day_of_month": TimePart(attrgetter("day"), 1, 31, "day of the month"),
    "day_of_week": TimePart(datetime.weekday, 0, 6, "day of the week, Monday is 0"),
    "hour": TimePart(attrgetter("hour"), 0, 23, "hour"),
    "minute": TimePart(attrgetter("minute"), 0, 59, "minute"),
    "second": TimePart(attrgetter("second"), 0, 59, "second, without its fraction"),
}


@dataclass(frozen=True)
class DerivingFunction:
    """What a function reads and gives; `partial` where it may give null for what is not null.

    `needs` are the arguments beside `of` that must stand, of `one_of_these` at least one must.
    """

    reads: tuple[frozenset[str], ...]  # types of the columns, in order
    gives: Gives
    says: str
    example: str
    make: Callable[[Derived], Values]
    needs: tuple[str, ...] = ()
    one_of_these: tuple[str, ...] = ()
    partial: bool = False

    @property
    def takes(self) -> frozenset[str]:
        """Arguments that may stand beside `of`."""
        coded = ("encode",) if self.gives == "string" else ()
        return frozenset((*self.needs, *self.one_of_these, *coded))


def _difference(declared: Derived) -> Values:
    unit = UNITS[declared.unit or "s"]
    return lambda later, earlier: (
        None if later is None or earlier is None else (later - earlier) / unit
    )


def _ratio(_: Derived) -> Values:
    def ratio(value: float | None, by: float | None) -> float | None:
        if value is None or by is None or by == 0:
            return None
        return _finite(value / by)  # of two integers the nearest float64, however large they are

    return ratio


def _log(_: Derived) -> Values:
    return lambda value: None if value is None or value <= 0 else _finite(math.log(value))


def _bins(declared: Derived) -> Values:
    edges, names = declared.edges or (), bin_names(declared)
    return lambda value: None if value is None else names[bisect_right(edges, value)]


def _length(_: Derived) -> Values:
    return lambda text: None if text is None else len(text)


def _condition(declared: Derived) -> Values:
    if declared.missing is not None:
        missing = declared.missing
        return lambda value: (value is None) is missing
    if declared.one_of is not None:
        known = frozenset(declared.one_of)
        return lambda value: None if value is None else value in known
    low = -math.inf if declared.at_least is None else declared.at_least
    high = math.inf if declared.below is None else declared.below
    open_above = declared.below is None
    return lambda value: None if value is None else low <= value and (open_above or value < high)


FUNCTIONS: Mapping[str, DerivingFunction] = {
    "difference": DerivingFunction(
        (TIMES, TIMES),
        "number",
        "the first time minus the second, in the unit `s`, `min`, `h` or `d`; below zero where the "
        "first is earlier",
        "{function: difference, of: [departure, booked], unit: h}",
        _difference,
        needs=("unit",),
    ),
    "ratio": DerivingFunction(
        (NUMBERS, NUMBERS),
        "number",
        "the first number by the second; null where the second is zero",
        "{function: ratio, of: [price, seats]}",
        _ratio,
        partial=True,
    ),
    "log": DerivingFunction(
        (NUMBERS,),
        "number",
        "the natural logarithm; null of zero and below",
        "{function: log, of: income}",
        _log,
        partial=True,
    ),
    "bins": DerivingFunction(
        (NUMBERS,),
        "string",
        "a category: between which `edges` the number lies, the lower one included",
        "{function: bins, of: age, edges: [18, 30, 65]}",
        _bins,
        needs=("edges",),
    ),
    "length": DerivingFunction(
        (TEXTS,),
        "integer",
        "how many characters (code points of Unicode) the text has",
        "{function: length, of: comment}",
        _length,
    ),
    "condition": DerivingFunction(
        (CONDITIONAL,),
        "boolean",
        "whether the value is `at_least` one number and `below` another, is `one_of` some values, "
        "or is `missing`, which alone is never null",
        "{function: condition, of: distance, at_least: 500, below: 2000}",
        _condition,
        one_of_these=("at_least", "below", "one_of", "missing"),
    ),
}


def bin_names(declared: Derived) -> tuple[str, ...]:
    """The categories between the edges, in order: `below 18`, `18 to 30`, `from 30`."""
    edges = [_spelled(edge) for edge in declared.edges or ()]
    between = (f"{low} to {high}" for low, high in pairwise(edges))
    return (f"below {edges[0]}", *between, f"from {edges[-1]}")


def _spelled(edge: float) -> str:
    return str(int(edge)) if abs(edge) < 1e15 and edge == int(edge) else repr(edge)


def _finite(value: float) -> float | None:
    return value + 0.0 if math.isfinite(value) else None


def part_column(part: Part, source: str, column: Column) -> Column:
    """A part of a time as a column."""
    counted = PARTS[part]
    return Column(
        type="integer",
        description=f"{counted.says} of {source}",
        nullable=column.nullable,
        min=counted.low,
        max=counted.high,
        personal=column.personal,
        log=_logged_of([column]),
    )


def derived_column(declared: Derived, sources: list[Column]) -> Column:
    """A derived column as one of its own; of a person where one of its sources is."""
    function = FUNCTIONS[declared.function]
    given: ColumnType = function.gives
    nullable = function.partial or any(column.nullable for column in sources)
    return Column(
        type=given,
        description=declared.description,
        unit=declared.unit or "",
        nullable=nullable and declared.missing is None,
        categories=bin_names(declared) if declared.edges and given == "string" else None,
        encode=declared.encode if given == "string" else None,
        personal=any(column.personal for column in sources),
        log=_logged_of(sources),
    )


def _logged_of(sources: list[Column]) -> Logged:
    """Whether the log lets it be computed again: only where it holds every source as sent."""
    return "keep" if all(column.logged == "keep" for column in sources) else "drop"
