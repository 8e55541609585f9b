"""Columns of text as columns of values: many cells at once, as `contract.store.cells` reads one.

What is usual is read by Arrow; for every other cell the reader of single cells decides, so that the
two cannot differ.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.store.cells import SPACES, TRUTH, BadCell, CellReader, moment_of
from contract.use_case.local_time import PER_SECOND, NotOneMoment, localised

LOCAL = pa.timestamp("us")
MOMENT = pa.timestamp("us", tz="UTC")
WHOLE = r"[+-]?\d{1,18}"
LOCAL_ISO = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?"
MOMENT_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d(:?[0-5]\d)?)"
# Arrow knows the rules of clocks from 1970 on, and no rule that begins after 2037.
KNOWN_CLOCKS = (datetime(1970, 1, 2), datetime(2037, 1, 1))
YEARS = (-62_135_596_800, 253_402_300_800)  # seconds after 1970: the years 1 to 9999
# Times beyond these are read one by one, for their moment may lie in the year 0 or 10000.
FIRST_DAY, LAST_DAY = datetime(1, 1, 2), datetime(9999, 12, 31)
BEYOND = "timestamp expected, found one beyond the years 1 to 9999"


@dataclass(frozen=True)
class ReadColumn:
    """Values (n_rows,), null where a cell is null or is listed here: row and why."""

    values: pa.Array
    unreadable: dict[int, str]
    unplaced: dict[int, str]  # times that the clock of the zone skips or repeats


def read_texts(texts: pa.Array, reader: CellReader) -> ReadColumn:
    """The values of cells of one column, (n_rows,); a quoted empty text counts in text alone."""
    kind = reader.column.type
    if reader.form.null_values:
        words = pa.array(reader.form.null_values, texts.type)
        texts = pc.if_else(pc.is_in(texts, words), pa.scalar(None, texts.type), texts)
    if kind == "string":
        return ReadColumn(texts.cast(pa.string()), {}, {})
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)
    return _with_the_rest(_usual(pc.utf8_trim(texts, SPACES), reader), texts, reader.read)


def localise(times: pa.Array, zone: ZoneInfo) -> ReadColumn:
    """Times without an offset, (n_rows,), as moments."""
    naive = times.cast(LOCAL)

    def one(time: datetime) -> datetime:
        try:
            return localised(time, zone)
        except OverflowError:
            raise BadCell(BEYOND) from None

    return _with_the_rest(_placed(naive, zone), naive, one)


def bounded(moments: pa.Array) -> ReadColumn:
    """Moments, (n_rows,), as they are; unreadable are those of no year from 1 to 9999."""
    return _with_the_rest(_within_years(moments), moments, lambda moment: moment)


def read_numbers(numbers: pa.Array, unit: str) -> ReadColumn:
    """Numbers since 1970, (n_rows,), as moments."""

    def one(number: Decimal | int | float) -> datetime:
        try:
            return moment_of(number, unit)
        except (ValueError, OverflowError):
            raise BadCell(f"a time in {unit} since 1970 expected, found none") from None

    if pa.types.is_integer(numbers.type):
        quick = _counted(numbers.cast(pa.int64()), unit)
        return _with_the_rest(quick, numbers, one)
    return _with_the_rest(pa.nulls(len(numbers), MOMENT), numbers, one)


def _with_the_rest(values: pa.Array, given: pa.Array, one: Any) -> ReadColumn:
    """The values, and those of the cells that have none yet, each read by itself."""
    unreadable: dict[int, str] = {}
    unplaced: dict[int, str] = {}
    left = pc.and_(given.is_valid(), values.is_null())
    if not pc.any(left).as_py():
        return ReadColumn(values, {}, {})
    rows = np.flatnonzero(left.to_numpy(zero_copy_only=False))
    encoded = given.take(pa.array(rows)).dictionary_encode()
    read: list[Any] = []
    why: dict[int, ValueError] = {}
    for code, cell in enumerate(encoded.dictionary):
        try:
            read.append(one(_plain(cell)))
        except (BadCell, NotOneMoment) as error:
            read.append(None)
            why[code] = error
    for row, code in zip(rows.tolist() if why else (), encoded.indices.to_pylist(), strict=False):
        if reason := why.get(code):
            (unplaced if isinstance(reason, NotOneMoment) else unreadable)[row] = str(reason)
    rest = pa.array(read, values.type).take(encoded.indices)
    return ReadColumn(pc.replace_with_mask(values, left, rest), unreadable, unplaced)


def _plain(cell: pa.Scalar) -> Any:
    try:
        return cell.as_py()
    except OverflowError:  # databases write an endless time as the year 294247
        raise BadCell(BEYOND) from None


def _usual(texts: pa.Array, reader: CellReader) -> pa.Array:
    """The values of what is usual, null for all else."""
    kind, unit = reader.column.type, reader.column.unit
    if kind == "boolean":
        return _truth(texts, reader)
    if kind == "timestamp" and unit not in PER_SECOND:
        return _moments(texts, reader)
    texts = _matching(texts, reader.number_pattern.pattern)
    if reader.form.thousands:
        texts = pc.replace_substring(texts, reader.form.thousands, "")
    if reader.form.decimal != ".":
        texts = pc.replace_substring(texts, reader.form.decimal, ".")
    if kind == "number":
        numbers = pc.utf8_ltrim(texts, "+").cast(pa.float64())
        return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))
    whole = pc.utf8_ltrim(_matching(texts, WHOLE), "+").cast(pa.int64())
    return whole if kind == "integer" else _counted(whole, unit)


def _moments(texts: pa.Array, reader: CellReader) -> pa.Array:
    if reader.form.timestamp_format:
        return pa.nulls(len(texts), MOMENT)
    try:
        local = _matching(texts, LOCAL_ISO).cast(LOCAL)
        moments = _matching(texts, MOMENT_ISO).cast(MOMENT)
    except pa.ArrowInvalid:  # one of them is no day of the calendar
        return pa.nulls(len(texts), MOMENT)
    return pc.coalesce(_placed(local, reader.zone), _within_years(moments))


def _counted(numbers: pa.Array, unit: str) -> pa.Array:
    """Moments so many units after 1970; null where that is no year from 1 to 9999, or is finer than
    a microsecond."""
    as_unit = pa.timestamp(unit, "UTC")
    low, high = (max(-(2**63), min(2**63 - 1, s * PER_SECOND[unit])) for s in YEARS)
    inside = pc.and_(pc.greater_equal(numbers, low), pc.less(numbers, high))
    if unit == "ns":
        whole = pc.equal(pc.multiply(pc.divide(numbers, 1000), 1000), numbers)
        inside = pc.and_(inside, whole)
    none = pa.scalar(None, pa.int64())
    return pc.if_else(inside, numbers, none).cast(as_unit).cast(MOMENT)


def _truth(texts: pa.Array, reader: CellReader) -> pa.Array:
    found = pa.nulls(len(texts), pa.bool_())
    words = {True: reader.form.true_values, False: reader.form.false_values}
    for value, declared in words.items():
        if declared:
            there = pc.is_in(texts, pa.array(declared, texts.type))
            found = pc.if_else(there, value, found)
    lower = pc.ascii_lower(texts)
    for word, value in TRUTH.items():
        found = pc.if_else(pc.and_(found.is_null(), pc.equal(lower, word)), value, found)
    return found


def _placed(times: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Local times as moments; null where that needs a closer look."""
    if zone.key == "UTC":
        return _within_years(times.cast(MOMENT))
    first, last = (pa.scalar(time, LOCAL) for time in KNOWN_CLOCKS)
    known = pc.and_(pc.greater_equal(times, first), pc.less(times, last))
    times = pc.if_else(known, times, pa.scalar(None, LOCAL))
    early, late = (
        pc.assume_timezone(times, zone.key, ambiguous=side, nonexistent=side).cast(MOMENT)
        for side in ("earliest", "latest")
    )
    return pc.if_else(pc.equal(early, late), early, pa.scalar(None, MOMENT))


def _within_years(moments: pa.Array) -> pa.Array:
    times = moments.cast(LOCAL)
    first, last = (pa.scalar(day, LOCAL) for day in (FIRST_DAY, LAST_DAY))
    inside = pc.and_(pc.greater_equal(times, first), pc.less(times, last))
    return pc.if_else(inside, moments, pa.scalar(None, MOMENT))


def _matching(texts: pa.Array, pattern: str) -> pa.Array:
    fits = pc.match_substring_regex(texts, f"^(?:{pattern})$")
    return pc.if_else(fits, texts, pa.scalar(None, texts.type))
