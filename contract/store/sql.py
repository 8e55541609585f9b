"""The query engine over opened Delta tables: SQL in, plain Arrow out.

An opened table is one version. Where forgetting or upkeep removes its files meanwhile, a read ends
by an error of ours, and whoever opened the table may begin anew with the newest version.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from contract.errors import Unavailable

PART_ROWS = 100_000
TRIES = 3  # of a read whose files are removed
NO_ANSWER = ("Generic S3 error", "error sending request")  # how deltalake says it
REMOVED = re.compile(r"Object at location .* not found", re.DOTALL)  # how the engine says it

T = TypeVar("T")


class FilesRemoved(Unavailable):
    """Files of the version that was read are not there any more."""


def did_not_answer(error: BaseException) -> bool:
    """Whether the store of the tables gave no answer, or a fault, and may do so later."""
    said = str(error)
    kind = isinstance(error, OSError | DeltaError)
    return kind and "NoSuchBucket" not in said and any(words in said for words in NO_ANSWER)


def reread(read: Callable[[], T]) -> T:
    """What a read answers that opens its tables itself: begun anew where files were removed."""
    again = retry_if_exception_type(FilesRemoved)
    return Retrying(retry=again, stop=stop_after_attempt(TRIES), reraise=True)(read)


def answer(sql: str, tables: Mapping[str, DeltaTable]) -> pa.Table:
    """Answer of a query over tables, named as they are given, whole in memory."""
    with _reading(tables):
        return _plain(pa.table(_over(tables).execute(sql).read_all()))


def parts(sql: str, tables: Mapping[str, DeltaTable]) -> Iterator[pa.Table]:
    """Answer of a query in parts of about PART_ROWS rows; no more than a part is held."""
    waiting: list[pa.RecordBatch] = []
    with _reading(tables):
        for batch in _over(tables).execute(sql):
            waiting.append(pa.record_batch(batch))
            if sum(b.num_rows for b in waiting) >= PART_ROWS:
                yield _plain(pa.Table.from_batches(waiting))
                waiting = []
    if waiting:
        yield _plain(pa.Table.from_batches(waiting))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """The schema without view types and large types, which not every reader of Arrow knows."""
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema])


@contextmanager
def _reading(tables: Mapping[str, DeltaTable]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the engine raises nothing more special
        if not REMOVED.search(str(error)):
            raise
        named = ", ".join(
            f"{table.table_uri.rstrip('/').rpartition('/')[2]} version {table.version()}"
            for table in tables.values()
        )
        raise FilesRemoved(
            f"Files of {named} were removed while they were read, by forget or maintain; run again."
        ) from error


def _over(tables: Mapping[str, DeltaTable]) -> QueryBuilder:
    builder = QueryBuilder()
    for name, table in tables.items():
        builder = builder.register(name, table)
    return builder


def _plain(table: pa.Table) -> pa.Table:
    return table.cast(plain_schema(table.schema))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind) or pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    return kind


def quoted(name: str) -> str:
    """A column name in SQL's quotes, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def unlike(name: str, others: Collection[str]) -> str:
    """The name, or one after it that none of the others is: for a column of ours beside theirs."""
    return name if name not in others else unlike(f"{name}_", others)
