"""Arrow types of a use case's columns; rows cast to them, and rows fitted to a table's columns."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput
from contract.store.cells import EXACT, CellReader, reader_of
from contract.store.text_columns import MOMENT, bounded, localise, read_numbers, read_texts
from contract.use_case.local_time import PER_SECOND
from contract.use_case.model import UseCase

TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": MOMENT,
}


# What a value of a fitting type may be that its column does not hold.
INEXACT: dict[str, str] = dict.fromkeys(TYPES, "") | {
    "integer": " with a fraction, or beyond 64 bits; deliver whole numbers, or declare a number",
    "number": " beyond 2^53, whose last digits a number loses; declare the column as integer, or "
    "as string where it is a name",
    "timestamp": " with times finer than a microsecond, or beyond the years 1 to 9999; round them "
    "where they come from",
}

# Metadata of a field whose values no table holds: the reason, in words for people.
MISFIT = b"misfit"


@dataclass(frozen=True)
class ConformedRows:
    """Rows in declared columns and types; columns that could not be had are named instead."""

    table: pa.Table
    missing: tuple[str, ...]
    retyped: dict[str, str]  # column: what was expected and found

    @property
    def complete(self) -> bool:
        """Whether every declared column is there with its type."""
        return not self.missing and not self.retyped


def arrow_schema(use_case: UseCase) -> pa.Schema:
    """The declared columns, in order. Every field is nullable: a null is judged, not lost."""
    return pa.schema([(name, TYPES[column.type]) for name, column in use_case.columns.items()])


def conform(rows: pa.Table, use_case: UseCase) -> ConformedRows:
    """Cast `rows` to the declared schema where that loses nothing; undeclared columns are left out.

    A column that cannot be cast stays as delivered, so that validation can name it. BadInput where
    a declared name stands twice.
    """
    check_names(rows.column_names, use_case.columns)
    columns: dict[str, pa.ChunkedArray] = {}
    retyped: dict[str, str] = {}
    missing = tuple(name for name in use_case.columns if name not in rows.column_names)
    notes = notes_of(rows)
    for name, column in use_case.columns.items():
        if name in missing:
            continue
        values = rows.column(name)
        try:
            if name in notes:
                raise Misfit(notes[name])
            columns[name] = _cast(values, reader_of(use_case, column))
        except (Misfit, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            columns[name] = values
            found = f"{column.type} expected, found {values.type}{INEXACT[column.type]}"
            retyped[name] = str(error) if isinstance(error, Misfit) else found
    return ConformedRows(pa.table(columns), missing, retyped)


def with_notes(rows: pa.Table, notes: Mapping[str, str]) -> pa.Table:
    """The rows with the reasons why some columns can't be had, which `conform` finds."""
    fields = [
        f.with_metadata({MISFIT: notes[f.name]}) if f.name in notes else f for f in rows.schema
    ]
    return pa.table(rows.columns, schema=pa.schema(fields))


def notes_of(rows: pa.Table) -> dict[str, str]:
    """The reasons that are noted at columns, by name."""
    found = {f.name: (f.metadata or {}).get(MISFIT) for f in rows.schema}
    return {name: note.decode() for name, note in found.items() if note is not None}


def check_names(names: Sequence[str], declared: Iterable[str]) -> None:
    """BadInput where a declared column stands twice; tables do not tell names apart by case."""
    for name in declared:
        same = [found for found in names if found.lower() == name.lower()]
        if len(same) > 1:
            raise BadInput(
                f"source: {' and '.join(map(repr, same))} are one name to a table, which "
                f"{name!r} is declared by; rename one of them or leave it out."
            )


class Misfit(ValueError):
    """Why a column can't be had as declared, in words for people."""


def _cast(values: pa.ChunkedArray, reader: CellReader) -> pa.ChunkedArray:
    kind, target = reader.column.type, TYPES[reader.column.type]
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_null(values.type):
        return values.cast(target)
    if pa.types.is_floating(values.type):
        # pandas writes a missing number as NaN; here missing is null and NaN does not exist.
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if kind == "timestamp":
        return _moments(values, reader)
    if not FITTING[kind](values.type):
        raise Misfit(f"{kind} expected, found {values.type}")
    if kind == "integer" and pa.types.is_floating(values.type):
        _check_exact(values)
    return values.cast(target)  # a safe cast: 3.5 is no integer


def _check_exact(values: pa.ChunkedArray) -> None:
    if pc.any(pc.greater_equal(pc.abs(values), float(EXACT))).as_py():
        raise Misfit(
            "integer expected, found floats from 2^53 on, whose last digits are lost; deliver "
            "integers, in pandas as Int64 where some are missing"
        )


def _moments(values: pa.ChunkedArray, reader: CellReader) -> pa.ChunkedArray:
    """Times as moments; one that the clock skips or shows twice is null if that is no value here,
    so that validation sets its row apart."""
    kind, unit, zone = values.type, reader.column.unit, reader.zone
    if _is_number(kind) and unit not in PER_SECOND:
        raise Misfit(
            f"timestamp expected, found {kind}; if times are numbers (Unix time), declare "
            "unit: s, ms, us or ns at the column"
        )
    if _is_number(kind):
        found = [read_numbers(part, unit) for part in values.chunks]
    elif pa.types.is_timestamp(kind) and kind.tz is not None:
        found = [bounded(part) for part in values.cast(MOMENT).chunks]
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        found = [localise(part, zone) for part in values.chunks]
    elif _is_text(kind):
        found = [read_texts(part.cast(pa.string()), reader) for part in values.chunks]
    else:
        raise Misfit(f"timestamp expected, found {kind}")
    before = 0
    for part in found:
        wrong = part.unreadable | (part.unplaced if reader.column.nullable else {})
        if wrong:
            row = min(wrong)
            raise Misfit(f"row {before + row}: {wrong[row]}")
        before += len(part.values)
    return pa.chunked_array([part.values for part in found], MOMENT)


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


# Arrow would cast far more: a day or a duration to the number that stores it.
FITTING: dict[str, Callable[[pa.DataType], bool]] = {
    "string": _is_text,
    "integer": _is_number,
    "number": _is_number,
    "boolean": pa.types.is_boolean,
}


def widened(table: pa.Schema, rows: pa.Schema) -> pa.Schema:
    """The columns of the table, then those that only the rows have; nested ones alike."""
    return pa.schema(_widened(list(table), list(rows)))


def _widened(table: list[pa.Field], rows: list[pa.Field]) -> list[pa.Field]:
    fields = {field.name: field for field in table}
    for field in rows:
        there = fields.setdefault(field.name, field)
        if pa.types.is_struct(there.type) and pa.types.is_struct(field.type):
            members = _widened(list(there.type), list(field.type))
            fields[field.name] = pa.field(field.name, pa.struct(members))
    return list(fields.values())


def fit_to_schema(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Rows with these columns, null where they had none; ArrowInvalid where a type is another."""
    if not rows.num_rows:
        return wanted.empty_table()
    whole = rows.combine_chunks().to_struct_array().combine_chunks()
    return pa.Table.from_struct_array(_fitted(whole, pa.struct(list(wanted))))


def _fitted(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_struct(wanted):
        names = {field.name for field in values.type}
        parts = [
            _fitted(values.field(f.name), f.type)
            if f.name in names
            else pa.nulls(len(values), f.type)
            for f in wanted
        ]
        return pa.StructArray.from_arrays(parts, fields=list(wanted))
    same = values.type == wanted or pa.types.is_list(wanted)
    if not same and not (pa.types.is_integer(values.type) and pa.types.is_floating(wanted)):
        raise pa.ArrowInvalid(f"{values.type} found where the table holds {wanted}")
    return values.cast(wanted)
