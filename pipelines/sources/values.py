"""Plain Python values, as databases and JSON give them, as Arrow columns: exact, or refused.

Nothing is rounded and nothing becomes text that was none. Errors name column and row, never what
stands there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput

EXACT = 2**53  # integers up to here are exact as float64, too
MOST = 2**63
WORDS: Mapping[str, str] = {
    "int": "an integer",
    "float": "a number with a fraction",
    "str": "text",
    "bool": "true or false",
    "Decimal": "a decimal number",
    "time with a zone": "a time with a zone",
    "datetime": "a time without a zone",
    "date": "a date",
    "UUID": "a UUID",
}
MIXABLE = ({"int", "float"}, {"int", "Decimal"})


def table(names: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]], where: str) -> pa.Table:
    """Columns of batches, each of them one sequence (n_rows,) for each name, as one table.

    `where` is what errors call the source. BadInput where a column mixes kinds of values, or holds
    what no column of a use case can.
    """
    parts: list[list[pa.Array]] = [[] for _ in names]
    first = 1
    for columns in batches:
        for name, values, chunks in zip(names, columns, parts, strict=True):
            chunks.append(_array(values, f"{where}: column {name!r}", first))
        first += len(columns[0]) if columns else 0
    joined = [_joined(c, f"{where}: column {n!r}") for n, c in zip(names, parts, strict=True)]
    return pa.table(joined, names=list(names))


def without_values(message: str) -> str:
    """What a database says of a value that it can't read, with signs of omission for the value."""
    line = message.strip().partition("\n")[0]
    return re.sub(r"(?<!\w)-?\d[\d.e+-]*(?!\w)", "…", re.sub(r"(['\"]).*\1", "'…'", line))


def _array(values: Sequence[Any], where: str, first: int) -> pa.Array:
    """One batch of a column; `first` is the number of its first row."""
    kinds = {_kind(one) for one in _one_of_each(values)}
    if not kinds:
        return pa.nulls(len(values))
    if unknown := next((kind for kind in kinds if kind not in WORDS), ""):
        row = first + _index(values, unknown)
        raise BadInput(
            f"{where} holds a value of kind {unknown} in row {row}, which no column can hold; "
            "leave it out, or turn it into text or a number where it comes from."
        )
    if len(kinds) > 1 and kinds not in MIXABLE:
        one, other, at = _first_other(values)
        raise _mixed(where, one, other, first + at)
    try:
        return _typed(values, kinds, where)
    except OverflowError:
        at = next(i for i, v in enumerate(values) if isinstance(v, int) and not -MOST <= v < MOST)
        raise BadInput(
            f"{where} holds an integer beyond 64 bits in row {first + at}; turn it into text where "
            "it comes from."
        ) from None
    except (ValueError, TypeError) as error:  # ArrowInvalid is a ValueError; TypeError: infinity
        what = "text that is no Unicode" if isinstance(error, UnicodeError) else "a number too wide"
        last = first + len(values) - 1
        raise BadInput(f"{where} holds {what}, in rows {first} to {last}.") from None


def _typed(values: Sequence[Any], kinds: set[str], where: str) -> pa.Array:
    if kinds == {"UUID"}:
        return pa.array([None if v is None else str(v) for v in values], pa.string())
    if kinds == {"time with a zone"}:
        return pa.array(values, pa.timestamp("us", tz="UTC"))
    if "Decimal" in kinds:  # NaN is a missing value, as everywhere
        missing = [v is None or (isinstance(v, Decimal) and v.is_nan()) for v in values]
        return pa.array([None if m else Decimal(v) for m, v in zip(missing, values, strict=True)])
    if kinds == {"int", "float"} and any(isinstance(v, int) and abs(v) > EXACT for v in values):
        if any(isinstance(v, float) and not _is_int64(v) for v in values):
            raise _inexact(where)
        return pa.array([None if v is None else int(v) for v in values], pa.int64())
    return pa.array(values, from_pandas="float" in kinds)


def _is_int64(number: float) -> bool:
    return number.is_integer() and -MOST <= number < MOST


def _joined(chunks: list[pa.Array], where: str) -> pa.ChunkedArray:
    """The batches of a column in one type that holds all of their values."""
    types = {chunk.type for chunk in chunks if not pa.types.is_null(chunk.type)}
    if not types:
        return pa.chunked_array(chunks, pa.null())
    if len(types) == 1:
        return pa.chunked_array([chunk.cast(*types) for chunk in chunks], *types)
    decimals = [kind for kind in types if pa.types.is_decimal(kind)]
    if not _together(types):
        raise _mixed_batches(chunks, where)
    wanted = _widest(decimals, pa.int64() in types) if decimals else pa.float64()
    try:
        return pa.chunked_array([chunk.cast(wanted) for chunk in chunks], wanted)
    except pa.ArrowInvalid:
        raise _inexact(where) from None


def _widest(decimals: list[pa.DataType], beside_integers: bool) -> pa.DataType:
    """A decimal type that holds the values of all."""
    scale = max(kind.scale for kind in decimals)
    whole = max(19 * beside_integers, *(kind.precision - kind.scale for kind in decimals))
    wide = pa.decimal128 if whole + scale <= 38 else pa.decimal256
    return wide(min(whole + scale, 76), scale)


def _together(types: set[pa.DataType]) -> bool:
    """Whether one type holds values of all."""
    decimals = {kind for kind in types if pa.types.is_decimal(kind)}
    numbers = (types <= {pa.int64(), pa.float64()}) or (types <= {*decimals, pa.int64()})
    return len(types) == 1 or numbers


def _mixed_batches(chunks: list[pa.Array], where: str) -> BadInput:
    """What is said of the first batch that does not go with those before it."""
    starts = accumulate(map(len, chunks), initial=1)
    given = [(row, c) for row, c in zip(starts, chunks, strict=False) if c.null_count < len(c)]
    types = [chunk.type for _, chunk in given]
    at = next(at for at in range(len(types)) if not _together({*types[: at + 1]}))
    row, other = given[at]
    within = pc.index(other.is_valid(), True).as_py()
    return _mixed(where, _said(types[at - 1]), _said(other.type), row + within)


def _said(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "time with a zone" if kind.tz else "datetime"
    names = {"int64": "int", "double": "float", "string": "str", "bool": "bool"}
    return names.get(str(kind), "date" if pa.types.is_date(kind) else "Decimal")


def _kind(value: Any) -> str:
    if isinstance(value, datetime):
        return "time with a zone" if value.tzinfo else "datetime"
    return type(value).__name__


def _one_of_each(values: Sequence[Any]) -> Iterable[Any]:
    """One value for each type, and of times every one: a zone is no part of the type."""
    kinds = {type(v): v for v in values}
    kinds.pop(type(None), None)
    if any(issubclass(kind, datetime) for kind in kinds):
        zones = {v.tzinfo is None: v for v in values if isinstance(v, datetime)}
        return chain(zones.values(), (v for k, v in kinds.items() if not issubclass(k, datetime)))
    return kinds.values()


def _index(values: Sequence[Any], kind: str) -> int:
    return next(i for i, v in enumerate(values) if v is not None and _kind(v) == kind)


def _first_other(values: Sequence[Any]) -> tuple[str, str, int]:
    """The kind of which values come first, and that of the first which goes with none before it,
    with its place."""
    places: dict[str, int] = {}
    for i, value in enumerate(values):
        if value is not None:
            places.setdefault(_kind(value), i)
    kinds = list(places)
    at = next(at for at in range(1, len(kinds)) if {*kinds[: at + 1]} not in MIXABLE)
    return kinds[at - 1], kinds[at], places[kinds[at]]


def _mixed(where: str, one: str, other: str, row: int) -> BadInput:
    return BadInput(
        f"{where} mixes kinds of values: {WORDS[one]} first, {WORDS[other]} in row {row}; make "
        "them one kind where they come from."
    )


def _inexact(where: str) -> BadInput:
    return BadInput(
        f"{where} mixes whole numbers above 2^53 with numbers that have a fraction or are beyond "
        "64 bits, which no column holds exactly; make them one kind where they come from."
    )
