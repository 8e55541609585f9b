"""The record of feedback, as it stands in the table `feedback`: somebody says what is true.

A row names one prediction by its id, or every prediction of a row of data by the use case's keys.
Rows are only ever added. `contract.store.labels` says which label counts.
"""

from collections.abc import Mapping

import pyarrow as pa

from contract.store.schema import TYPES
from contract.use_case.sections.column import Column

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


def label_problem(target: Column, label: object) -> str:
    """Why a value of the target's type can't be a label, by the rules of ingest; "" if it can."""
    categories = target.categories if target.unseen == "reject" else None
    if categories is not None and label not in categories:
        return f"one of {', '.join(categories)} expected, found another value"
    if isinstance(label, int | float):
        if target.min is not None and label < target.min:
            return f"at least {target.min:g} expected, found less"
        if target.max is not None and label > target.max:
            return f"at most {target.max:g} expected, found more"
    return ""
