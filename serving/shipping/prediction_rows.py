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
