"""Rows of a frozen table version: the very ones that were written, or refused by name.

Delta writes no checksums of its pages, so a flipped bit is often just another value.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from contract.errors import Refused
from contract.names import ROW_HASH
from contract.store.rows.fingerprint import altered, content_hash
from contract.store.tables import Tables, TableVersion

DAMAGE = ("Parquet", "parquet", "Arrow", "snappy")  # words of a reader that meets a broken page
AWAY = ("Generic S3 error", "not found")


def read_frozen(tables: Tables, table: TableVersion, order_by: Sequence[str] = ()) -> pa.Table:
    """All rows of a version that has the column `_row_hash`; Refused where they were changed."""
    with unharmed(tables, table):
        rows = tables.read(table.table, table.version, order_by=order_by)
    check_hashes(tables, table, rows)
    if altered(rows):
        raise damaged(tables, table)
    return rows


def check_hashes(tables: Tables, table: TableVersion, rows: pa.Table) -> None:
    """Refused unless these rows' column `_row_hash` is that of the version's content."""
    if content_hash(rows.column(ROW_HASH).to_numpy()) != table.content_hash:
        raise damaged(tables, table)


def damaged(tables: Tables, table: TableVersion) -> Refused:
    """What is said of a version that does not hold what was written."""
    mend = "Restore the table from a backup"
    if table.table in ("training", "holdout"):
        mend += ", or delete the damaged version's files, and a split writes the rows again"
    return Refused(
        f"The rows of {table.table} version {table.version} are not the ones that were written: "
        f"files in {tables.uri(table.table)} are damaged. {mend}."
    )


@contextmanager
def unharmed(tables: Tables, table: TableVersion) -> Iterator[None]:
    """Refused by the version's name where its files can't be read in the block."""
    try:
        yield
    except BaseException as error:  # a reader that panics raises nothing narrower
        told = str(error)
        broken = any(word in told for word in DAMAGE) and not any(word in told for word in AWAY)
        if type(error).__name__ == "PanicException" or (isinstance(error, Exception) and broken):
            raise damaged(tables, table) from error
        raise
