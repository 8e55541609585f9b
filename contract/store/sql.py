"""The query engine over opened Delta tables: SQL in, plain Arrow out."""

from collections.abc import Iterator, Mapping

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

PART_ROWS = 100_000


def answer(sql: str, tables: Mapping[str, DeltaTable]) -> pa.Table:
    """Answer of a query over tables, named as they are given, whole in memory."""
    return _plain(pa.table(_over(tables).execute(sql).read_all()))


def parts(sql: str, tables: Mapping[str, DeltaTable]) -> Iterator[pa.Table]:
    """Answer of a query in parts of about PART_ROWS rows; no more than a part is held."""
    waiting: list[pa.RecordBatch] = []
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
