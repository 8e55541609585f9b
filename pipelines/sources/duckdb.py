"""A query to a DuckDB file, which is opened to be read only."""

import pyarrow as pa

from contract.errors import BadInput, Unavailable
from pipelines.sources.newer import Mark, Newer
from pipelines.sources.values import without_values

READS = ("SELECT", "SET", "MULTI")  # of DuckDB's statements; the last is a PIVOT


def read(file: str, query: str, newer: Newer | None = None) -> pa.Table:
    """The answer of the query in the types that DuckDB gives its columns."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise BadInput(
            "source.sql.url: duckdb:// needs the Python package duckdb, which is not installed: "
            "pip install 'fourcycle[sources]'."
        ) from None
    given: list[Mark] = []
    if newer:
        name = '"' + newer.column.replace('"', '""') + '"'
        # As text, which is how the mark was found: an enum has an order of its own.
        value = f"{name}::VARCHAR" if isinstance(newer.than, str) else name
        query = f"SELECT * FROM ({query}\n) AS newer WHERE {value} >= ? OR {name} IS NULL"  # noqa: S608
        given = [newer.than]
    try:
        with duckdb.connect(file, read_only=True) as connection:
            for statement in connection.extract_statements(query):
                if statement.type.name not in READS:  # COPY and EXPORT would write files
                    raise BadInput(
                        "source.sql.query: only SELECT, and SET before it, are run; "
                        f"found {statement.type.name.replace('_', ' ')}."
                    )
            answer = connection.sql(query, params=given)
            if answer is None:
                raise BadInput("source.sql.query: a query is needed that answers rows.")
            return answer.to_arrow_table()
    except duckdb.IOException as error:  # another process writes to it, or it is no DuckDB file
        raise Unavailable(f"source.sql: {file} can't be opened now: {error}") from None
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        raise BadInput(f"source.sql.query failed: {without_values(str(error))}") from None
    except duckdb.Error as error:
        raise BadInput(f"source.sql.query failed: {error}") from None
