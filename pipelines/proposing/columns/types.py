"""The type of a column of texts: what the reader of ingest reads every cell of it as.

A leading zero, or more digits than 18, show a code, which is a text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from contract.store.cells import SPACES, TRUTH, CellReader
from contract.store.text_columns import read_texts
from contract.use_case.local_time import PER_SECOND
from contract.use_case.sections.column import Column, ColumnType
from contract.use_case.sections.source import CsvFormat
from pipelines.proposing.inferred import Certainty, Inferred
from pipelines.proposing.question import Answers
from pipelines.proposing.writing.clock_form import ClockForm, clock_form
from pipelines.sources.proposals import MISSING_WORDS

WORDS_FOR_TRUTH = (
    ("yes", "no"), ("Yes", "No"), ("YES", "NO"), ("y", "n"), ("Y", "N"), ("T", "F"), ("t", "f"),
)  # fmt: skip
LEADING_ZERO = r"^\s*[+-]?0\d"
LONG = r"^\s*[+-]?\d{19,}\s*$"
WHOLE = r"^\s*[+-]?\d{1,18}\s*$"
OFFSET = re.compile(r".*\d[T ]\d\d:?\d\d.*(Z|[+-]\d\d(:?\d\d)?)\s*")
BIG_DAY = r"^\s*(1[3-9]|2\d|3[01])[./-]|^\s*\d{1,2}[./-](1[3-9]|2\d|3[01])[./-]"
CODE = re.compile(r"(^|[_\W])(zip|postal|postcode|plz|code)(code)?s?($|[_\W])", re.I)
AMOUNT = re.compile(r"\s*[^\w\s]?\s*[+-]?\d[\d.,']*\s*([^\w\s]|[A-Za-z]{1,3})?\s*")
TIME_NAME = re.compile(r"(^|[_\W])(ts|time|timestamp|date|datetime|at|epoch|unix)($|[_\W])", re.I)
# The years 2001 to 2065 as numbers since 1970, and what they count.
UNIX_TIMES = {
    unit: (10**9 * per_second, 3 * 10**9 * per_second) for unit, per_second in PER_SECOND.items()
}
MOSTLY = 0.9
PROBE_TIMES = 200
MOST_OTHERS = 50  # different texts in a column of numbers; of more it is a column of texts
MOST_ROWS = 20_000  # of them that are looked at in one part of a column
SHOWN = 3
ISO_CLOCK = ClockForm(Inferred(None, ""))
UTC = ZoneInfo("UTC")  # the clock counts later; whether a cell is a time does not depend on it


@dataclass(frozen=True)
class TypedColumn:
    """A column (n_rows,) in its type, why it is that, and what a person should know of it."""

    name: str
    type: Inferred[ColumnType]
    values: pa.ChunkedArray
    unit: str = ""
    clock: ClockForm | None = None
    naive: bool = False  # times without an offset
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadCells:
    """A column, the words for missing among its cells, its words for truth, what is unreadable."""

    column: TypedColumn
    nulls: frozenset[str] = frozenset()
    pair: tuple[str, str] | None = None
    others: tuple[str, ...] = ()


def read_column(
    name: str, cells: pa.ChunkedArray, probe: Sequence[str], form: CsvFormat, answers: Answers
) -> ReadCells:
    """A column of texts (n_rows,) in its type; `probe` are different texts of it, none of them a
    word for missing."""
    for attempt in (_booleans, _numbers, _times):
        if probe and (found := attempt(name, cells, probe, form, answers)):
            return found
    return as_text(name, cells, _nearly_numbers(probe, form))


def _booleans(
    name: str, cells: pa.ChunkedArray, probe: Sequence[str], form: CsvFormat, _: Answers
) -> ReadCells | None:
    said = {text.strip() for text in probe}
    if {text.lower() for text in said} <= TRUTH.keys():
        return _read(name, cells, Column(type="boolean"), form, "true and false alone")
    pair = next((p for p in WORDS_FOR_TRUTH if said == set(p)), None)
    if pair is None:
        return None
    words = {"true_values": (pair[0],), "false_values": (pair[1],)}
    declared = form.model_copy(update=words)
    found = _read(name, cells, Column(type="boolean"), declared, f"{pair[0]} and {pair[1]} alone")
    return found and ReadCells(found.column, found.nulls, pair, found.others)


def _numbers(
    name: str, cells: pa.ChunkedArray, probe: Sequence[str], form: CsvFormat, _: Answers
) -> ReadCells | None:
    unit = "%" if all(text.rstrip(SPACES).endswith("%") for text in probe) else ""
    column = Column(type="number", unit=unit)
    pattern = CellReader(column, form, UTC).number_pattern
    if not all(pattern.fullmatch(text.strip(SPACES).removesuffix(unit).strip()) for text in probe):
        return None
    if _any(cells, LEADING_ZERO):
        return as_text(name, cells, (), "a number in it has a leading zero, as codes have")
    if _any(cells, LONG):
        return as_text(name, cells, (), "a number in it has more than 18 digits, as codes have")
    whole = all(re.match(WHOLE, text) for text in probe)
    if whole and CODE.search(name):
        return as_text(name, cells, ("the name says code, so its numbers are kept as text",))
    if whole and (found := _whole(name, cells, form)):
        return found
    return _read(name, cells, column, form, "")


def _whole(name: str, cells: pa.ChunkedArray, form: CsvFormat) -> ReadCells | None:
    """A column of integers; none where a cell has a point, for then others may have a fraction."""
    dotted = pc.match_substring_regex(cells, rf"\d{re.escape(form.decimal)}|[eE]")
    if pc.any(dotted).as_py():
        return None
    found = _read(name, cells, Column(type="integer"), form, "")
    return _unix_times(name, cells, form, found) if found and TIME_NAME.search(name) else found


def _unix_times(
    name: str, cells: pa.ChunkedArray, form: CsvFormat, found: ReadCells
) -> ReadCells | None:
    """The column as times where its numbers are those of this century."""
    ends = pc.min_max(found.column.values)
    low, high = ends["min"].as_py(), ends["max"].as_py()
    for unit, (first, last) in UNIX_TIMES.items():
        if low is not None and first <= low <= high < last:
            column = Column(type="timestamp", unit=unit)
            timed = _read(name, cells, column, form, f"numbers of {unit} since 1970")
            return timed and replace(timed, column=replace(timed.column, clock=ISO_CLOCK))
    return found


def _times(
    name: str, cells: pa.ChunkedArray, probe: Sequence[str], form: CsvFormat, answers: Answers
) -> ReadCells | None:
    some = list(probe[:PROBE_TIMES])
    clock = clock_form(name, some)
    if clock is None:
        return None
    if clock.question:  # a day above 12 may stand in any row
        telling = cells.filter(pc.match_substring_regex(cells, BIG_DAY)).slice(0, 10)
        cut = [*some, *telling.to_pylist()]
        clock = clock_form(name, cut, answers.get("timestamp_format", "")) or clock
    declared = form.model_copy(update={"timestamp_format": clock.form.value})
    found = _read(name, cells, Column(type="timestamp"), declared, clock.form.why)
    if found is None or found.others:
        return found
    naive = (
        not all(OFFSET.fullmatch(text) for text in probe)
        if not clock.form.value
        else ("%z" not in clock.form.value)
    )
    column = found.column
    timed = TypedColumn(
        name, Inferred("timestamp", column.type.why, clock.form.sure), column.values,
        clock=clock, naive=naive,
    )  # fmt: skip
    return ReadCells(timed, found.nulls, None, found.others)


def as_text(name: str, cells: pa.ChunkedArray, notes: tuple[str, ...], why: str = "") -> ReadCells:
    """The column as it stands."""
    sure: Certainty = "likely" if notes else "sure"
    return ReadCells(TypedColumn(name, Inferred("string", why, sure), cells, notes=notes))


def _read(
    name: str, cells: pa.ChunkedArray, column: Column, form: CsvFormat, why: str
) -> ReadCells | None:
    """The column by the reader of ingest; None where it holds texts beside words for missing."""
    words = tuple(w for w in MISSING_WORDS if w not in (*form.true_values, *form.false_values))
    reader = CellReader(column, form.model_copy(update={"null_values": words}), UTC)
    parts, others = [], set[str]()
    for chunk in cells.chunks:
        found = read_texts(chunk, reader)
        parts.append(found.values)
        rows = pa.array(list(found.unreadable)[:MOST_ROWS], pa.int64())
        others |= set(chunk.take(rows).to_pylist())
        if len(others) > MOST_OTHERS:
            return None
    values = pa.chunked_array(parts)
    if others:
        shown = ", ".join(map(repr, sorted(others)[:SHOWN]))
        note = f"numbers, dates or truth but for {len(others)} different texts, e.g. {shown}"
        found_text = as_text(name, cells, (f"{note}: mend them, or declare a word in null_values",))
        return ReadCells(found_text.column, others=tuple(others))
    nulls = frozenset[str]()
    if values.null_count > cells.null_count:
        there = cells.filter(pc.is_in(cells, pa.array(words)))
        nulls = frozenset(pc.unique(there).to_pylist())
    typed = TypedColumn(name, Inferred(column.type, why), values, column.unit)
    return ReadCells(typed, nulls)


def _nearly_numbers(probe: Sequence[str], form: CsvFormat) -> tuple[str, ...]:
    """A note where most texts are numbers, or would be if they were written otherwise."""
    pattern = CellReader(Column(type="number"), form, UTC).number_pattern
    others = [text for text in probe if not pattern.fullmatch(text.strip())]
    if not others:
        return ()
    shown = ", ".join(map(repr, others[:SHOWN]))
    if len(others) <= len(probe) * (1 - MOSTLY):
        return (f"most cells are numbers, but not e.g. {shown}: mend them or declare null_values",)
    if all(map(AMOUNT.fullmatch, probe)):
        return (
            f"its numbers are written {shown}, unlike the rest of the file, so they are texts "
            "here: write them alike, without other signs",
        )
    return ()


def _any(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
