"""Read the rows of a use case's source, whatever its kind, as an arrow table."""

import importlib
import os
import sys
from collections.abc import Callable
from string import Template
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from contract.addresses import misread
from contract.errors import BadInput, Unavailable
from contract.store import sql as engine
from contract.store.schema import TYPES
from contract.store.tables import storage_options
from contract.use_case.model import Sql, UseCase

if TYPE_CHECKING:  # only a source that is a database pays for it
    from sqlalchemy import Connection


def read_source(use_case: UseCase) -> pa.Table:
    """All rows the source holds now, with every column it has."""
    readers: dict[str, Callable[[UseCase], pa.Table]] = {
        "python": _read_python,
        "csv": _read_csv,
        "parquet": _read_parquet,
        "sql": _read_sql,
        "delta": _read_delta,
    }
    return readers[use_case.source.kind](use_case)


def _read_python(use_case: UseCase) -> pa.Table:
    module_name, _, function = str(use_case.source.python).partition(":")
    # A loader may stand beside its use case, outside this repository.
    if use_case.source.folder not in sys.path:
        sys.path.append(use_case.source.folder)
    try:
        loader = getattr(importlib.import_module(module_name), function)
    except (ImportError, AttributeError) as error:
        raise BadInput(
            f"source.python: {use_case.source.python} can't be loaded: {error}"
        ) from error
    frame = loader()
    if isinstance(frame, pa.Table):
        return frame
    if not isinstance(frame, pd.DataFrame):
        found = type(frame).__name__
        raise BadInput(f"source.python: a data frame was expected, the loader gave {found}.")
    return _from_pandas(frame)


def _read_csv(use_case: UseCase) -> pa.Table:
    # Cells are read by the declared type: an identifier like 007 stays text.
    types = {n: TYPES[c.type] for n, c in use_case.columns.items() if c.type == "string"}
    options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    lines = pyarrow.csv.ParseOptions(newlines_in_values=True)
    try:
        return pyarrow.csv.read_csv(
            use_case.source.csv, parse_options=lines, convert_options=options
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"source.csv: {use_case.source.csv} can't be read: {error}") from error


def _read_parquet(use_case: UseCase) -> pa.Table:
    try:
        return pyarrow.parquet.read_table(use_case.source.parquet)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"source.parquet: {use_case.source.parquet} can't be read: {error}"
        ) from error


def _read_sql(use_case: UseCase) -> pa.Table:
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    sql = use_case.source.sql or Sql(url="", query="")
    with _connected(sql.url) as connection:
        try:
            return _from_pandas(pd.read_sql(text(sql.query), connection))
        except SQLAlchemyError as error:
            # The original message alone: SQLAlchemy's own repeats the statement.
            found = getattr(error, "orig", error)
            if getattr(error, "connection_invalidated", False):
                raise Unavailable(f"source.sql: the database went away: {found}") from None
            raise BadInput(f"source.sql.query failed: {found}") from None


def _connected(address: str) -> "Connection":
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

    try:
        # No pool: a connection left open is nobody's to close.
        engine = create_engine(Template(address).substitute(os.environ), poolclass=NullPool)
        return engine.connect()
    except KeyError as error:
        raise BadInput(f"source.sql.url names ${error.args[0]}, which is not set.") from None
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise BadInput(f"source.sql.url is no address SQLAlchemy can open: {error}") from None
    except OperationalError as error:
        raise Unavailable(f"source.sql: the database did not answer: {error.orig}") from None


def _read_delta(use_case: UseCase) -> pa.Table:
    delta = use_case.source.delta
    assert delta is not None, "the kind is delta"
    if found := misread(delta.path):
        raise BadInput(
            f"source.delta: {delta.path!r} can't be read, for Delta reads {found!r} in a path as "
            "something else; name a folder without it."
        )
    options = storage_options(delta.path)
    try:
        table = DeltaTable(delta.path, version=delta.version, storage_options=options)
    except TableNotFoundError as error:
        raise BadInput(f"source.delta: no Delta table at {delta.path}.") from error
    return engine.answer("SELECT * FROM t", {"t": table})


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # A column of mixed types: hand it on as text, so that validation names it.
        mixed = {str(c): frame[c].astype(str) for c in frame if _is_mixed(frame[c])}
        return pa.Table.from_pandas(frame.assign(**mixed), preserve_index=False)


def _is_mixed(values: pd.Series) -> bool:
    try:
        pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return True
    return False
