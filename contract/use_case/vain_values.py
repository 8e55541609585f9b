"""Values of a file that are of the right type and yet mean nothing: a unit that is none, a limit
that nothing reaches.

Only people are told of them: what was frozen with a version may hold such, and is read.
"""

import math
from collections.abc import Iterator
from typing import Any

from contract.use_case.local_time import PER_SECOND


def vain_values(raw: dict[str, Any]) -> Iterator[str]:
    """A sentence for each, with its place. What an estimator is given is the estimator's affair."""
    columns = raw.get("columns")
    for name, column in columns.items() if isinstance(columns, dict) else ():
        if isinstance(column, dict):
            yield from _of_column(f"columns.{name}", column)
    yield from _endless({key: value for key, value in raw.items() if key != "estimator"}, "")


def _of_column(place: str, column: dict[str, Any]) -> Iterator[str]:
    unit = column.get("unit", "")
    if unit and column.get("type") == "timestamp" and unit not in PER_SECOND:
        yield (
            f"{place}.unit: times that are numbers count {', '.join(PER_SECOND)} (Unix time), "
            f"found {unit!r}; other times need no unit"
        )
    if column.get("categories") == []:
        yield f"{place}.categories: at least one word is needed; leave it out to expect any"


def _endless(value: object, place: str) -> Iterator[str]:
    """Numbers that are none: nothing is below NaN, and endless is what a limit left out says."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{place}: a finite number is needed, found {value}; leave it out for no limit"
    parts: Iterator[tuple[object, object]] = iter(())
    if isinstance(value, dict):
        parts = iter(value.items())
    elif isinstance(value, list):
        parts = iter(enumerate(value))
    for name, part in parts:
        yield from _endless(part, f"{place}.{name}" if place else str(name))
