"""Records of the spool as rows of the table `feedback`, column by column."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from contract.store.feedback import feedback_schema
from contract.store.frames import arrow_values
from serving.log.feedback_record import FeedbackRecord
from serving.log.record import RecordSchema


def feedback_rows(schema: RecordSchema, records: Sequence[FeedbackRecord]) -> pa.Table:
    """All rows of records of one schema; an exception of arrow where a value does not fit."""
    wanted = feedback_schema(schema.keys, schema.prediction)
    columns: dict[str, list[Any]] = {
        "prediction_id": _flat([r.prediction_id for r in records]),
        **{key: _flat([r.keys[key] for r in records]) for key in schema.keys},
        "event_time": _flat([r.event_time for r in records]),
        "label": _flat([r.label for r in records]),
        "label_time": _flat([[t or r.received_time for t in r.label_time] for r in records]),
        "received_time": _flat([[r.received_time] * r.n_rows for r in records]),
        "key_id": _flat([[r.key_id] * r.n_rows for r in records]),
    }
    arrays = [arrow_values(columns[field.name], field.type) for field in wanted]
    return pa.table(arrays, schema=wanted)


def _flat(parts: Sequence[Sequence[Any]]) -> list[Any]:
    return list(chain.from_iterable(parts))
