"""The names of the first line: whether they are names, and which of them no use case can hold."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import BadInput
from contract.names import ROW_COLUMNS
from pipelines.proposing.inferred import LeftOut
from pipelines.proposing.question import Question

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
DAY = re.compile(r"\d{4}-\d\d-\d\d.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
UNSEEN = {"Cc", "Cs", "Zl", "Zp"}  # control signs, halves of signs, ends of lines
LONGEST_NAME = 500  # YAML takes no key beyond 1024 bytes


@dataclass(frozen=True)
class Header:
    """Columns that can be declared, by name with their place, and those that can't."""

    places: dict[str, int]
    left_out: tuple[LeftOut, ...]
    questions: tuple[Question, ...]


def header_of(names: Sequence[str], address: str) -> Header:
    """Which columns have a name that a table can hold; BadInput where the line holds no names."""
    if _is_data(names):
        raise BadInput(
            f"data: the first line of {address} holds values, not names ("
            f"{', '.join(names[:4])}{', …' if len(names) > 4 else ''}); add a line of names, for a "
            "use case tells columns by them."
        )
    folded = Counter(name.lower() for name in names)
    places, left_out = dict[str, int](), list[LeftOut]()
    for at, name in enumerate(names):
        if why := _why_not(name, at, folded):
            left_out.append(LeftOut(name or f"(column {at + 1})", why))
        else:
            places[name] = at
    return Header(places, tuple(left_out), tuple(_questions(names, folded)))


def _is_data(names: Sequence[str]) -> bool:
    """Whether all cells of the first line are values; years may be names, beside other names."""
    said = [name.strip() for name in names if name.strip()]
    values = [n for n in said if NUMBER.fullmatch(n) or DAY.fullmatch(n)]
    return len(values) == len(said) or (
        any("." in n or "," in n for n in values[:1]) and (len(values) > len(said) / 2)
    )


def _why_not(name: str, at: int, folded: Counter[str]) -> str:
    if not name:
        return f"column {at + 1} has no name; give it one in the first line"
    if folded[name.lower()] > 1:
        return "this name stands more than once in the first line (upper and lower case are one)"
    if name.lower() in {reserved.lower() for reserved in ROW_COLUMNS}:
        return "every table has a column of this name already; rename it"
    if len(name) > LONGEST_NAME:
        return f"a name of {len(name):,} signs is too long; shorten it"
    if any(unicodedata.category(sign) in UNSEEN for sign in name):
        return "its name holds a line break or another sign that can't be seen; rename it"
    return ""


def _questions(names: Sequence[str], folded: Counter[str]) -> list[Question]:
    twice = sorted({name for name in names if name and folded[name.lower()] > 1})
    if not twice:
        return []
    places = [str(at + 1) for at, name in enumerate(names) if name in twice]
    text = (
        f"{', '.join(map(repr, twice))} stand more than once in the first line (columns "
        f"{', '.join(places)}). Rename them in the file and begin anew, or leave all of them out"
    )
    return [Question("duplicates", text, "leave out", ("leave out",))]
