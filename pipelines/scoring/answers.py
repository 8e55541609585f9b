"""Answers as rows: what a target holds, and what the table `predictions` does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from contract.errors import Refused
from contract.names import BATCH
from contract.store.predictions import predictions_schema
from contract.store.schema import TYPES
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.log.prediction_record import PredictionRecord, schema_hash
from serving.log.record import RecordSchema
from serving.requests.columns import CheckedColumns
from serving.scoring.scorer import Predictions
from serving.scoring.version import ServedVersion
from serving.shipping.prediction_rows import prediction_rows


@dataclass(frozen=True)
class AnsweredPart:
    """Rows with their answers, and the id that they have as one request."""

    checked: CheckedColumns
    predictions: Predictions
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
    checked, answers, n_rows = part.checked, part.predictions, part.checked.n_rows
    columns: list[Any] = [checked.keys[key] for key in served.use_case.keys]
    if served.use_case.event_time and served.use_case.event_time not in checked.keys:
        columns.append(checked.event_time)
    columns.append(answers.prediction)
    classes = served.scorer.classes
    columns += [[row[at] for row in answers.probability or []] for at in range(len(classes))]
    columns.append([" ".join(flags) for flags in checked.flags])
    columns.append([f"{part.request_id}-{row}" for row in range(n_rows)])
    columns.append([served.version] * n_rows)
    arrays = [pa.array(c, type=field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


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
    record = PredictionRecord(
        request_id=part.request_id,
        model=served.name,
        version=served.version,
        schema_hash=schema_hash(case),
        features=hidden.apply(checked.features),
        keys=hidden.apply(checked.keys),
        event_time=checked.event_time,
        prediction=part.predictions.prediction,
        probability=part.predictions.probability,
        flags=checked.flags,
        latency_ms=0.0,
        logged_time=started,
        key_id=None,
        source=BATCH,
    )
    rows = prediction_rows(RecordSchema.of(case), [record])
    at = rows.schema.get_field_index("latency_ms")
    return rows.set_column(at, rows.schema.field(at), pa.nulls(rows.num_rows, pa.float64()))


def _row_names(use_case: UseCase) -> list[str]:
    return list(dict.fromkeys((*use_case.keys, *filter(None, (use_case.event_time,)))))
