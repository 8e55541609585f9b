"""Answers as rows: what a target holds, and what the table `predictions` does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import Refused
from contract.names import BATCH
from contract.store.frames import plain_values
from contract.store.predictions import PARTITION, predictions_schema
from contract.store.schema import TYPES
from contract.store.text_columns import MOMENT
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.log.prediction_record import schema_hash
from serving.log.record import RecordSchema
from serving.requests.arrow_columns import CheckedBatch
from serving.scoring.version import ServedVersion


@dataclass(frozen=True)
class AnsweredPart:
    """Rows with their answers, and the id that they have as one request."""

    checked: CheckedBatch
    answers: pa.RecordBatch  # as score_batch gives them
    request_id: str


def answer_schema(use_case: UseCase, classes: tuple[Any, ...]) -> pa.Schema:
    """Keys and event time of the row, the answer and its flags, joined by spaces; then its id and
    the version that gave it. Refused where two of them have one name."""
    schema = pa.schema(
        [
            *((name, TYPES[use_case.columns[name].type]) for name in _row_names(use_case)),
            ("prediction", TYPES[use_case.answer_type]),
            *((f"probability_{name}", pa.float64()) for name in classes),
            ("flags", pa.string()),
            ("prediction_id", pa.string()),
            ("version", pa.string()),
        ]
    )
    if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        raise Refused(
            f"{', '.join(twice)} is a key or the event time, and a column of the output as well; "
            "another name in the use case is needed."
        )
    return schema


def answer_rows(part: AnsweredPart, schema: pa.Schema, served: ServedVersion) -> pa.Table:
    """The answers of a part, as a target holds them."""
    rows, answers = part.checked.rows, part.answers
    columns = [rows.column(name) for name in _row_names(served.use_case)]
    columns += answers.columns
    columns += [_flag_texts(part.checked), _ids(part), pa.repeat(served.version, rows.num_rows)]
    return pa.table(columns, schema=schema)


def _ids(part: AnsweredPart) -> pa.Array:
    """`<request id>-<row>`, as of a PredictionRecord."""
    rows = pa.array(np.arange(part.checked.rows.num_rows)).cast(pa.string())
    return pc.binary_join_element_wise(part.request_id, rows, "-")


def _flag_texts(checked: CheckedBatch) -> pa.Array:
    """The flags of each row, joined by spaces."""
    texts = pa.repeat("", checked.rows.num_rows)
    for flag, mask in checked.flags.items():
        longer = pc.utf8_ltrim(pc.binary_join_element_wise(texts, flag, " "), " ")
        texts = pc.if_else(pa.array(mask), longer, texts)
    return texts


def logged_schema(use_case: UseCase) -> pa.Schema:
    """Columns of the answers in `predictions`."""
    record = RecordSchema.of(use_case)
    return predictions_schema(record.features, record.keys, record.prediction)


def logged_rows(
    part: AnsweredPart, served: ServedVersion, hidden: Pseudonymiser, started: datetime
) -> pa.Table:
    """The answers of a part, as the service would log them; nobody waited, so there is no latency.

    They were logged when their job began, as their ids say: both end with one retention.
    """
    checked, case = part.checked, served.use_case
    rows, n_rows, wanted = checked.rows, checked.rows.num_rows, logged_schema(case)
    prediction, *chances = part.answers.columns
    times = rows.column(case.event_time) if case.event_time else pa.nulls(n_rows, MOMENT)
    times = times.fill_null(pa.scalar(started, MOMENT))
    inputs = list(wanted.field("inputs").type)
    features = [_hidden(rows.column(field.name), field.name, hidden) for field in inputs]
    columns: dict[str, Any] = {
        "prediction_id": _ids(part),
        "request_id": pa.repeat(part.request_id, n_rows),
        "row": pa.array(np.arange(n_rows)),
        "event_time": times,
        PARTITION: times.cast(pa.date32()),
        "logged_time": pa.repeat(pa.scalar(started, MOMENT), n_rows),
        "model": pa.repeat(served.name, n_rows),
        "version": pa.repeat(served.version, n_rows),
        "schema_hash": pa.repeat(schema_hash(case), n_rows),
        **{k: _hidden(rows.column(k), k, hidden) for k in case.keys if k in wanted.names},
        "inputs": pa.StructArray.from_arrays(features, fields=inputs),
        "prediction": prediction,
        "flags": pa.array(checked.flag_lists(), wanted.field("flags").type),
        "source": pa.repeat(BATCH, n_rows),
    }
    if chances:
        flat = np.column_stack([column.to_numpy() for column in chances]).ravel()
        ends = pa.array(np.arange(n_rows + 1, dtype=np.int32) * len(chances))
        columns["probability"] = pa.ListArray.from_arrays(ends, pa.array(flat))
    for field in wanted:
        columns.setdefault(field.name, pa.nulls(n_rows, field.type))
    return pa.table([columns[name] for name in wanted.names], schema=wanted)


def _hidden(values: pa.Array, name: str, hidden: Pseudonymiser) -> pa.Array:
    """The values as they may stand in the log."""
    if name not in hidden.hashed:
        return values
    return pa.array([hidden.value(name, value) for value in plain_values(values)], pa.string())


def _row_names(use_case: UseCase) -> list[str]:
    return list(dict.fromkeys((*use_case.keys, *filter(None, (use_case.event_time,)))))
