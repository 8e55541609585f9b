"""A Delta table by its address, at a version or the newest. Only the wanted columns are read."""

import re
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from contract.addresses import misread, storage_options
from contract.errors import BadInput, Unavailable
from contract.store import sql as engine
from contract.store.sql import quoted
from contract.use_case.model import UseCase
from pipelines.sources.newer import Newer
from pipelines.sources.parts import wanted


def read(use_case: UseCase, newer: Newer | None = None) -> pa.Table:
    """All rows of the table, or those of files with something newer."""
    table = opened(use_case)
    schema = pa.schema(table.schema().to_arrow())
    names = list(wanted(schema.names, use_case, "source.delta"))
    if not names:
        return pa.table({})
    query = f"SELECT {', '.join(map(quoted, names))} FROM t"  # noqa: S608, quoted names
    if newer and newer.column in names:
        column, than = quoted(newer.column), _literal(newer, schema.field(newer.column).type)
        query += f" WHERE {column} >= {than} OR {column} IS NULL"
    return engine.answer(query, {"t": table})


def opened(use_case: UseCase) -> DeltaTable:
    """The declared table at its version; BadInput where there is none."""
    delta = use_case.source.delta
    assert delta is not None, "the kind is delta"
    if part := misread(delta.path):
        raise BadInput(
            f"source.delta: {delta.path!r} can't be read, for Delta reads {part!r} in a path as "
            "something else; name a folder without it."
        )
    if Path(delta.path).is_file():
        raise BadInput(f"source.delta: {delta.path} is a file; a Delta table is a folder.")
    return _opened(delta.path, delta.version)


def _opened(path: str, version: int | None) -> DeltaTable:
    try:
        return DeltaTable(path, version=version, storage_options=storage_options(path))
    except (DeltaError, OSError) as error:
        if version is not None:  # deltalake says in several ways that it is not there
            newest = _opened(path, None).version()
            raise BadInput(
                f"source.delta: {path} has no version {version}; newest: {newest}."
            ) from None
        if isinstance(error, TableNotFoundError):
            raise BadInput(f"source.delta: no Delta table at {path}.") from error
        said = " ".join(re.sub(r"\x1b\[\d*m|\s+\d+: <unknown>", "", str(error)).split())
        if engine.did_not_answer(error):
            raise Unavailable(
                f"source.delta: the store of {path} does not answer: {said}"
            ) from error
        raise BadInput(f"source.delta: {path} can't be read: {said}") from error


def _literal(newer: Newer, kind: pa.DataType) -> str:
    """The mark as the query engine reads a value of the column's type."""
    than = newer.like(kind)
    if isinstance(than, datetime):
        zone = 'Some("UTC")' if kind.tz else "None"
        return f"arrow_cast('{than.isoformat()}', 'Timestamp(Microsecond, {zone})')"
    if isinstance(than, date):
        return f"DATE '{than.isoformat()}'"
    return str(than) if isinstance(than, int) else "'" + than.replace("'", "''") + "'"
