"""The record of an answered row, as it stands in the table `predictions`.

The table is partitioned by the UTC day of the event time, since that is what windows ask for: a
day's rows are read from the files of that day alone.
"""

from collections.abc import Mapping

import pyarrow as pa

from contract.store.schema import TYPES

TIMESTAMP = TYPES["timestamp"]
PARTITION = "event_date"
INPUT = "inputs."  # before a feature's name where columns of ours stand beside it: none has a dot


def predictions_schema(
    features: Mapping[str, str], keys: Mapping[str, str], prediction: str
) -> pa.Schema:
    """Columns of `predictions`; features, keys and prediction by their declared types."""
    return pa.schema(
        [
            ("prediction_id", pa.string()),  # <request UUIDv7>-<row>
            ("request_id", pa.string()),
            ("row", pa.int64()),
            ("event_time", TIMESTAMP),  # as sent, else the time of arrival
            (PARTITION, pa.date32()),  # of event_time, in UTC
            ("logged_time", TIMESTAMP),
            ("model", pa.string()),
            ("version", pa.string()),
            ("schema_hash", pa.string()),
            *((name, TYPES[kind]) for name, kind in keys.items()),
            ("inputs", pa.struct([(name, TYPES[kind]) for name, kind in features.items()])),
            ("prediction", TYPES[prediction]),
            ("probability", pa.list_(pa.float64())),  # one for each class, in the order of classes
            ("latency_ms", pa.float64()),  # null: no request waited for it
            ("flags", pa.list_(pa.string())),  # what was noticed, e.g. unseen:carrier
            ("key_id", pa.string()),  # of the API key that asked
            ("shadow", TYPES[prediction]),  # the challenger's prediction
            ("shadow_version", pa.string()),  # of that challenger
            ("source", pa.string()),  # http, form, batch; null, in rows of old: http
        ]
    )
