"""A query to a database, by SQLAlchemy."""

import os
from string import Template
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from contract.errors import BadInput, Unavailable
from contract.use_case.model import UseCase
from contract.use_case.source import Sql
from pipelines.sources.frames import from_pandas

if TYPE_CHECKING:  # only a source that is a database pays for it
    from sqlalchemy import Connection


def read(use_case: UseCase) -> pa.Table:
    """The answer of the query."""
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    sql = use_case.source.sql or Sql(url="", query="")
    with connected(sql.url) as connection:
        try:
            return from_pandas(pd.read_sql(text(sql.query), connection))
        except SQLAlchemyError as error:
            # The original message alone: SQLAlchemy's own repeats the statement.
            message = getattr(error, "orig", error)
            if getattr(error, "connection_invalidated", False):
                raise Unavailable(f"source.sql: the database went away: {message}") from None
            raise BadInput(f"source.sql.query failed: {message}") from None


def connected(address: str) -> "Connection":
    """A connection to the address; BadInput where it is none, Unavailable where nobody answers."""
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
