"""Records of the spool as rows of the table `predictions`, column by column."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from contract.store.predictions import PARTITION, predictions_schema
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema


def prediction_rows(schema: RecordSchema, records: Sequence[PredictionRecord]) -> pa.Table:
    """All rows of records of one schema; an exception of arrow where a value does not fit."""
    wanted = predictions_schema(schema.features, schema.keys, schema.prediction)
    sizes = [record.n_rows for record in records]

    def repeated(values: Iterable[Any]) -> list[Any]:
        """A value of each record for each of its rows."""
        return _flat([value] * n for value, n in zip(values, sizes, strict=True))

    columns: dict[str, list[Any]] = {
        "prediction_id": _flat(r.prediction_ids for r in records),
        "request_id": repeated(r.request_id for r in records),
        "row": _flat(range(n) for n in sizes),
        "event_time": _flat([t or r.logged_time for t in r.event_time] for r in records),
        "logged_time": repeated(r.logged_time for r in records),
        "model": repeated(r.model for r in records),
        "version": repeated(r.version for r in records),
        "schema_hash": repeated(r.schema_hash for r in records),
        **{key: _flat(r.keys[key] for r in records) for key in schema.keys},
        "prediction": _flat(r.prediction for r in records),
        "probability": _flat(r.probability or [None] * r.n_rows for r in records),
        "latency_ms": repeated(r.latency_ms for r in records),
        "flags": _flat(r.flags for r in records),
        "key_id": repeated(r.key_id for r in records),
        "shadow": [None] * sum(sizes),  # the shipper lets the challenger score
        "shadow_version": [None] * sum(sizes),
        "source": repeated(r.source for r in records),
    }
    arrays = {name: pa.array(values, wanted.field(name).type) for name, values in columns.items()}
    inputs = list(wanted.field("inputs").type)
    features = [pa.array(_flat(r.features[f.name] for r in records), f.type) for f in inputs]
    arrays["inputs"] = pa.StructArray.from_arrays(features, fields=inputs)
    arrays[PARTITION] = arrays["event_time"].cast(pa.date32())
    return pa.table([arrays[name] for name in wanted.names], schema=wanted)


def _flat(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))


def widened(table: pa.Schema, rows: pa.Schema) -> pa.Schema:
    """The columns of the table, then those that only the rows have; nested ones alike."""
    return pa.schema(_widened(list(table), list(rows)))


def _widened(table: list[pa.Field], rows: list[pa.Field]) -> list[pa.Field]:
    known = {field.name: field for field in table}
    for field in rows:
        there = known.setdefault(field.name, field)
        if pa.types.is_struct(there.type) and pa.types.is_struct(field.type):
            inside = _widened(list(there.type), list(field.type))
            known[field.name] = pa.field(field.name, pa.struct(inside))
    return list(known.values())


def conform(rows: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Rows with these columns, null where they had none; ArrowInvalid where a type is another."""
    if not rows.num_rows:
        return wanted.empty_table()
    whole = rows.combine_chunks().to_struct_array().combine_chunks()
    return pa.Table.from_struct_array(_fitted(whole, pa.struct(list(wanted))))


def _fitted(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_struct(wanted):
        have = {field.name for field in values.type}
        parts = [
            _fitted(values.field(f.name), f.type)
            if f.name in have
            else pa.nulls(len(values), f.type)
            for f in wanted
        ]
        return pa.StructArray.from_arrays(parts, fields=list(wanted))
    same = values.type == wanted or pa.types.is_list(wanted)
    if not same and not (pa.types.is_integer(values.type) and pa.types.is_floating(wanted)):
        raise pa.ArrowInvalid(f"{values.type} found where the table holds {wanted}")
    return values.cast(wanted)
