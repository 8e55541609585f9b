"""Arrow types of a use case's columns; rows cast to them, and rows fitted to a table's columns."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.model import Column, UseCase

TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class ConformedRows:
    """Rows in declared columns and types; columns that could not be had are named instead."""

    table: pa.Table
    missing: tuple[str, ...]
    retyped: dict[str, str]  # column: what was found

    @property
    def complete(self) -> bool:
        """Whether every declared column is there with its type."""
        return not self.missing and not self.retyped


def arrow_schema(use_case: UseCase) -> pa.Schema:
    """The declared columns, in order. Every field is nullable: a null is judged, not lost."""
    return pa.schema([(name, TYPES[column.type]) for name, column in use_case.columns.items()])


def conform(rows: pa.Table, use_case: UseCase) -> ConformedRows:
    """Cast `rows` to the declared schema where that loses nothing; undeclared columns are left out.

    A column that cannot be cast stays as delivered, so that validation can name it.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    retyped: dict[str, str] = {}
    missing = tuple(name for name in use_case.columns if name not in rows.column_names)
    for name, column in use_case.columns.items():
        if name in missing:
            continue
        values = rows.column(name)
        try:
            columns[name] = _cast(values, column)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            columns[name] = values
            retyped[name] = str(values.type)
    return ConformedRows(pa.table(columns), missing, retyped)


def _cast(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    target = TYPES[column.type]
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_null(values.type):
        return values.cast(target)
    if pa.types.is_floating(values.type):
        # pandas writes a missing number as NaN; here missing is null and NaN does not exist.
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if column.type == "string" and not _is_text(values.type):
        raise pa.ArrowInvalid(f"text expected, found {values.type}")
    if _is_text(values.type) and column.type in ("integer", "number", "boolean"):
        raise pa.ArrowInvalid(f"{column.type} expected, found text")
    if pa.types.is_boolean(values.type) != (column.type == "boolean"):
        raise pa.ArrowInvalid(f"{column.type} expected, found {values.type}")
    if pa.types.is_timestamp(values.type) and values.type.tz is None:
        values = pc.assume_timezone(values, "UTC")
    return values.cast(target)  # a safe cast: 3.5 is no integer


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


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
