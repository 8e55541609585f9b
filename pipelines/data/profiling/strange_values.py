"""Values that are rarely meant: stand-ins for missing ones, constants, spellings, infinities, JSON.

Computed over Arrow columns by its own kernels: seconds for millions of rows.
"""

import json
from collections.abc import Container, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from pipelines.data.profiling.notes import ColumnNote

# What people write where a number is missing: 99, -999, 9999 ...
SENTINELS = [sign * (10**digits - 1) for digits in range(2, 10) for sign in (-1, 1)]
SENTINEL_ROWS = 2  # one alone may be a measurement
SENTINEL_GAP = 20  # between it and the other values, where these lie close together
TEXT_BYTES = 2**30  # a larger column holds documents, which Arrow can't tell apart at once
DISTINCT_TEXTS = 100_000  # of more, spellings are not compared: they are no categories
JSON_SHAPE = r"(?s)^\s*(\{.*\}|\[.*\])\s*$"
JSON_TRIED = 20
LONGEST_EXAMPLE = 40


def strange(rows: pa.Table, use_case: UseCase) -> list[ColumnNote]:
    """Notes on the declared columns of a table, in declared order; keys may be anything.

    Values of a personal column are never told.
    """
    return strange_columns(rows, use_case.columns, use_case.keys)


def strange_columns(
    rows: pa.Table, columns: Mapping[str, Column], keys: Container[str]
) -> list[ColumnNote]:
    """The same of columns that no use case declares yet."""
    found: list[ColumnNote] = []
    for name, column in columns.items():
        if name in keys or name not in rows.column_names:
            continue
        values = rows.column(name).drop_null()
        if not len(values):
            continue
        if column.type == "string" and values.nbytes <= TEXT_BYTES:
            found += _texts(name, values, told=not column.personal)
        elif column.type != "string":
            found += _constant(name, values)
        if column.type == "number":
            found += _infinities(name, values)
        if column.type in ("number", "integer"):
            found += _sentinels(name, values)
    return found


def _constant(name: str, values: pa.ChunkedArray) -> Iterator[ColumnNote]:
    ends = pc.min_max(values)
    if len(values) > 1 and ends["min"] == ends["max"]:
        yield _one_value(name, len(values))


def _one_value(name: str, rows: int) -> ColumnNote:
    return ColumnNote(name, "constant", rows, f"the same value in all {rows:,} rows that have one")


def _infinities(name: str, values: pa.ChunkedArray) -> Iterator[ColumnNote]:
    rows = pc.sum(pc.is_inf(values)).as_py()
    if rows:
        yield ColumnNote(name, "infinity", rows, f"infinite in {rows:,} rows")


def _sentinels(name: str, values: pa.ChunkedArray) -> Iterator[ColumnNote]:
    """Numbers of nines that lie apart from all other values, or alone below zero."""
    suspect = pc.is_in(values, value_set=pa.array(SENTINELS, values.type))
    if not pc.any(suspect).as_py():
        return
    others = values.filter(pc.invert(suspect))
    if pa.types.is_floating(values.type):
        others = others.filter(pc.is_finite(others))
    if not len(others):
        return
    low, high = (pc.min_max(others)[end].as_py() for end in ("min", "max"))
    for found in pc.value_counts(values.filter(suspect)):
        value, rows = found["values"].as_py(), found["counts"].as_py()
        gap = max(low - value, value - high)
        apart = gap > max(high - low, SENTINEL_GAP) or value < 0 <= low
        if apart and rows >= SENTINEL_ROWS:
            told = f"{value:g} in {rows:,} rows, apart from all other values: is it a missing one?"
            yield ColumnNote(name, "sentinel", rows, told)


def _texts(name: str, values: pa.ChunkedArray, told: bool) -> Iterator[ColumnNote]:
    counted = pc.value_counts(values)
    texts, counts = counted.field("values"), counted.field("counts")
    if len(texts) == 1 and len(values) > 1:
        yield _one_value(name, len(values))
    if len(texts) <= DISTINCT_TEXTS:
        yield from _spellings(name, texts, counts, told)
    shaped = pc.match_substring_regex(texts, JSON_SHAPE)
    rows = pc.sum(counts.filter(shaped)).as_py() or 0
    if any(map(_is_json, texts.filter(shaped)[:JSON_TRIED].to_pylist())):
        said = f"JSON in {rows:,} rows: to a model each is one word"
        yield ColumnNote(name, "JSON", rows, said)


def _spellings(name: str, texts: pa.Array, counts: pa.Array, told: bool) -> Iterator[ColumnNote]:
    """Texts that are one but for case and spaces."""
    spaced = pc.replace_substring_regex(texts, r"\s+", " ")
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(spaced))
    groups = (
        pa.table({"folded": folded, "rows": counts})
        .group_by("folded")
        .aggregate([("rows", "count"), ("rows", "sum"), ("rows", "max")])
    )
    groups = groups.filter(pc.greater(groups.column("rows_count"), 1))
    if not groups.num_rows:
        return
    odd = pc.sum(pc.subtract(groups.column("rows_sum"), groups.column("rows_max"))).as_py()
    first = texts.filter(pc.equal(folded, groups.column("folded")[0]))[:2].to_pylist()
    example = ", e.g. " + " beside ".join(repr(t[:LONGEST_EXAMPLE]) for t in first) if told else ""
    said = (
        f"spellings that differ in case or spaces alone{example} (values: {groups.num_rows:,}, "
        f"rows not in the commonest: {odd:,})"
    )
    yield ColumnNote(name, "spelling", odd, said)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
