"""The record of an answered row, as it stands in the table `predictions`."""

import pyarrow as pa

from contract.schema import TYPES
from contract.use_case import UseCase

TIMESTAMP = TYPES["timestamp"]


def predictions_schema(use_case: UseCase) -> pa.Schema:
    """Columns of `predictions`; key columns and `inputs` follow the use case."""
    inputs = pa.struct([(name, TYPES[use_case.columns[name].type]) for name in use_case.features])
    prediction = TYPES[use_case.columns[use_case.target].type]
    return pa.schema(
        [
            ("prediction_id", pa.string()),  # <request UUIDv7>-<row>
            ("request_id", pa.string()),
            ("row", pa.int64()),
            ("event_time", TIMESTAMP),  # as sent, else the time of arrival
            ("logged_time", TIMESTAMP),
            ("model", pa.string()),
            ("version", pa.string()),
            *((key, TYPES[use_case.columns[key].type]) for key in use_case.keys),
            ("inputs", inputs),
            ("prediction", prediction),
            ("probability", pa.list_(pa.float64())),  # one for each class, in the order of classes
            ("latency_ms", pa.float64()),
            ("flags", pa.list_(pa.string())),
            ("shadow", pa.string()),
        ]
    )
