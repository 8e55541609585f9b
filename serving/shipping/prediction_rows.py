"""Records of the spool as rows of the table `predictions`, column by column."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.store.frames import arrow_values
from contract.store.predictions import PARTITION, predictions_schema
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema


def prediction_rows(schema: RecordSchema, records: Sequence[PredictionRecord]) -> pa.Table:
    """All rows of records of one schema; an exception of arrow where a value does not fit."""
    wanted = predictions_schema(schema.features, schema.keys, schema.prediction)
    sizes = np.array([record.n_rows for record in records], dtype=np.int64)
    of_record = pa.array(np.repeat(np.arange(len(records)), sizes))
    row = pa.array(np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes))

    def repeated(name: str) -> pa.Array:
        """A value of each record for each of its rows."""
        values = [getattr(record, name) for record in records]
        return arrow_values(values, wanted.field(name).type).take(of_record)

    def column(name: str, parts: Iterable[Iterable[Any]]) -> pa.Array:
        """Each record's values for its rows, one after another."""
        return arrow_values(_flat(parts), wanted.field(name).type)

    of_records = ("request_id", "logged_time", "model", "version", "schema_hash")
    arrays = {name: repeated(name) for name in (*of_records, "latency_ms", "key_id", "source")}
    times = ([t or r.logged_time for t in r.event_time] for r in records)
    arrays |= {
        "prediction_id": pc.binary_join_element_wise(
            arrays["request_id"], row.cast(pa.string()), "-"
        ),
        "row": row,
        "event_time": column("event_time", times),
        **{key: column(key, (r.keys[key] for r in records)) for key in schema.keys},
        "prediction": column("prediction", (r.prediction for r in records)),
        "probability": column("probability", (r.probability or [None] * r.n_rows for r in records)),
        "flags": column("flags", (r.flags for r in records)),
    }
    for name in ("shadow", "shadow_version"):  # the shipper lets the challenger score
        arrays[name] = pa.nulls(len(row), wanted.field(name).type)
    inputs = list(wanted.field("inputs").type)
    features = [arrow_values(_flat(r.features[f.name] for r in records), f.type) for f in inputs]
    arrays["inputs"] = pa.StructArray.from_arrays(features, fields=inputs)
    arrays[PARTITION] = arrays["event_time"].cast(pa.date32())
    return pa.table([arrays[name] for name in wanted.names], schema=wanted)


def _flat(parts: Iterable[Iterable[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))
