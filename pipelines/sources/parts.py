"""Many files as one table: what the names of their folders say, and schemas that differ."""

import re
from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa

from contract.errors import BadInput
from contract.store.cells import BadCell, CellReader
from contract.store.schema import TYPES, arrow_schema, conform, notes_of, with_notes
from contract.use_case.model import UseCase
from contract.use_case.sections.source import CsvFormat
from pipelines.sources.files import SourceFile, find
from pipelines.sources.newer import Newer

ReadFile = Callable[[SourceFile], pa.Table]


def read_files(
    address: str, kind: str, use_case: UseCase, newer: Newer | None, read_file: ReadFile
) -> pa.Table:
    """The rows of every file of an address; folders with nothing newer are passed over."""
    parts: dict[str, pa.Table] = {}
    for file in find(address, kind):
        values = {n: _typed(n, v, use_case, file.address) for n, v in file.values.items()}
        if newer and newer.column in values and _older(values[newer.column], newer):
            continue
        parts[file.address] = _beside(read_file(file), values, use_case)
    return _one_table(parts, use_case, f"source.{kind}")


def wanted(names: Sequence[str], use_case: UseCase, where: str) -> dict[str, int]:
    """The columns that the use case wants, with their places among the names of a source.

    BadInput where one of them stands twice; tables do not tell names apart by their case.
    """
    declared = {*use_case.columns, *filter(None, [use_case.source.since])}
    in_any_case = {name.lower() for name in declared}
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in in_any_case and (other := seen.setdefault(name.lower(), name)) != name:
            raise _one_name(other, name, where)
    places = {name: at for at, name in enumerate(names) if name in declared}
    if twice := next((name for name in places if list(names).count(name) > 1), ""):
        raise _one_name(twice, twice, where)
    return places


def _one_name(one: str, other: str, where: str) -> BadInput:
    return BadInput(f"{where}: {one!r} and {other!r} are one name to a table; rename one of them.")


def with_folder_values(rows: pa.Table, file: SourceFile, use_case: UseCase) -> pa.Table:
    """The rows of a file with the declared columns that only the names of its folders say."""
    values = {n: _typed(n, v, use_case, file.address) for n, v in file.values.items()}
    return _beside(rows, values, use_case)


def _typed(name: str, value: str | None, use_case: UseCase, path: str) -> pa.Scalar:
    """What a folder's name says, by the declared type: 007 stays as it is where that is text."""
    column = use_case.columns.get(name)
    kind = column.type if column else "string"
    if value is None or kind == "string":
        return pa.scalar(value, pa.string())
    try:
        if column and kind in ("number", "integer"):  # Arrow would read 0x10 and inf, too
            cells = CellReader(column, CsvFormat(), use_case.zone)
            return pa.scalar(cells.read(value), TYPES[kind])
        if kind == "timestamp":  # with a zone or without, as it stands
            zoned = re.search(r"(Z|[+-]\d\d:?\d\d)$", value) is not None and ":" in value
            return pa.array([value]).cast(pa.timestamp("us", "UTC" if zoned else None))[0]
        return pa.array([value]).cast(TYPES[kind])[0]
    except (pa.ArrowInvalid, BadCell):
        raise BadInput(
            f"The folder {name}={value} of {path} does not say a value of the declared type {kind}."
        ) from None


def _older(value: pa.Scalar, newer: Newer) -> bool:
    return bool(value.is_valid and value.as_py() < newer.like(value.type))


def _beside(rows: pa.Table, values: Mapping[str, pa.Scalar], use_case: UseCase) -> pa.Table:
    """The columns of a file, and of those that only the folders' names give the wanted ones."""
    for name in wanted(list(values), use_case, "source"):
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.repeat(values[name], rows.num_rows))
    return rows


def _one_table(parts: Mapping[str, pa.Table], use_case: UseCase, where: str) -> pa.Table:
    """All rows in the declared types, null where a file has no such column."""
    if not parts:
        return arrow_schema(use_case).empty_table()
    if len(parts) == 1:
        return next(iter(parts.values()))
    tables = {path: _conformed(rows, use_case) for path, rows in parts.items()}
    notes: dict[str, str] = {}
    for path, rows in parts.items():
        for name, why in notes_of(rows).items():
            notes.setdefault(name, f"{path}, {why}")
    try:
        return with_notes(pa.concat_tables(tables.values(), promote_options="permissive"), notes)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise _different(tables, use_case, where) from None


def _conformed(rows: pa.Table, use_case: UseCase) -> pa.Table:
    table = conform(rows, use_case).table
    since = use_case.source.since
    if since and since in rows.column_names and since not in table.column_names:
        table = table.append_column(since, rows.column(since))
    return table


def _different(tables: Mapping[str, pa.Table], use_case: UseCase, where: str) -> BadInput:
    found: dict[str, tuple[pa.DataType, str]] = {}
    for path, rows in tables.items():
        for field in rows.schema:
            kind, other = found.setdefault(field.name, (field.type, path))
            if not _promotes(kind, field.type):
                return BadInput(
                    f"{where}: column {field.name!r} is {kind} in {other} and {field.type} in "
                    f"{path}; write it alike in every file."
                )
    path, name, why = next(  # of one kind, and a value too wide for what holds all others
        (path, name, why)
        for path, rows in tables.items()
        for name, why in conform(rows, use_case).retyped.items()
    )
    return BadInput(f"{where}: column {name!r} of {path}: {why}.")


def _promotes(one: pa.DataType, other: pa.DataType) -> bool:
    schemas = [pa.schema([("v", kind)]) for kind in (one, other)]
    try:
        return bool(pa.unify_schemas(schemas, promote_options="permissive"))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
