"""The record of feedback, as it stands in the table `feedback`: somebody says what is true.

A row names one prediction by its id, or every prediction of a row of data by the use case's keys.
Rows are only ever added. `contract.store.labels` says which label counts.
"""

from collections.abc import Mapping

import pyarrow as pa

from contract.store.schema import TYPES

TIMESTAMP = TYPES["timestamp"]


def feedback_schema(keys: Mapping[str, str], label: str) -> pa.Schema:
    """Columns of `feedback`; keys and label by their declared types."""
    return pa.schema(
        [
            ("prediction_id", pa.string()),  # null: the keys name the row
            *((name, TYPES[kind]) for name, kind in keys.items()),
            ("event_time", TIMESTAMP),  # null: the keys alone name the row
            ("label", TYPES[label]),
            ("label_time", TIMESTAMP),  # when it was known; where that was not said, its arrival
            ("received_time", TIMESTAMP),
            ("key_id", pa.string()),  # of the API key that said it
        ]
    )
