"""`POST /feedback`: labels for predictions, checked by the letter and in the log before the answer.

Whether a prediction is known can't be asked here: another worker may have made it just now. So an
unknown one is accepted, and its label waits in the table until the prediction is there.
"""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from contract.settings import Settings
from contract.store.feedback import label_problem
from contract.use_case.loader import nearest
from contract.use_case.model import Column, UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.endpoints.predictions import ON_THE_LOOP_BYTES, PredictionEndpoints
from serving.log.feedback_record import FeedbackRecord
from serving.log.log import Log
from serving.requests.columns import (
    LONGEST_HINT,
    MISSING,
    SentColumns,
    bounded,
    cell,
    refuse,
    transpose,
)
from serving.requests.errors import JSON, Problem, Response
from serving.requests.request import Request
from serving.requests.strict_json import parse_json
from serving.telemetry.metrics import Metrics

PREDICTION_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d{1,9}")
CLOCK_SKEW = timedelta(minutes=5)  # a label may seem to be known so much before it is sent


class LabelEndpoint:
    """Takes feedback for the use case whose version answers now."""

    def __init__(
        self,
        answering: PredictionEndpoints,
        log: Log,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._answering, self._log, self._settings = answering, log, settings
        self._metrics, self._clock = metrics, clock

    async def feedback(self, call: Request, body: bytes) -> Response:
        """Accept the labels of a body, all or none."""
        endpoint = self._answering.endpoint()
        call.version = endpoint.served.version
        schema_hash = self._log.declare(endpoint.use_case)
        arguments = body, endpoint.use_case, endpoint.veil, schema_hash, call
        if len(body) <= ON_THE_LOOP_BYTES:
            record = self._read(*arguments)
        else:
            record = await asyncio.to_thread(self._read, *arguments)
        if not await self._log.append(record):
            raise Problem("log_full", "Feedback is not taken: this service keeps no log.")
        call.rows = record.n_rows
        self._metrics.feedback(record.n_rows)
        told = {"request_id": record.request_id, "accepted": record.n_rows}
        return Response(202, msgspec.json.encode(told), JSON, [])

    def _read(
        self, body: bytes, use_case: UseCase, veil: Pseudonymiser, schema_hash: str, call: Request
    ) -> FeedbackRecord:
        now = self._clock()
        sent = transpose(rows_of(parse_json(body)))
        bounded(sent.n_rows, self._settings.serve_max_rows)
        columns = check(sent, use_case, now)
        event_time = columns.pop(use_case.event_time) if use_case.event_time else None
        return FeedbackRecord(
            request_id=call.own_id,
            schema_hash=schema_hash,
            prediction_id=columns["prediction_id"],
            keys=veil.cover(keys_of(columns, use_case)),
            event_time=event_time or [None] * sent.n_rows,
            label=columns["label"],
            label_time=columns["label_time"],
            received_time=now,
            key_id=call.key,
        )


def rows_of(body: Any) -> list[dict[str, Any]]:
    """The rows of a body: `{"rows": [...]}`, or one row by itself."""
    rows = [body] if isinstance(body, dict) and set(body) != {"rows"} else None
    if isinstance(body, dict) and rows is None:
        rows = body["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem("bad_body", 'One label as an object is needed, or {"rows": [objects]}.')
    return rows


def members(use_case: UseCase) -> dict[str, Column]:
    """What a row of feedback may say: about what, the label, and when it was known."""
    names = [*use_case.label_keys, *([use_case.event_time] if use_case.event_time else [])]
    beside = {name: Column(type=use_case.columns[name].type, nullable=True) for name in names}
    return {
        **beside,
        "prediction_id": Column(type="string", nullable=True),
        "label": Column(type=use_case.answer_type),
        "label_time": Column(type="timestamp", nullable=True),
    }


def names_a_row(use_case: UseCase) -> str:
    """What can say which prediction a label is about."""
    return " or ".join(filter(None, ["prediction_id", " and ".join(use_case.label_keys)]))


def keys_of(columns: dict[str, list[Any]], use_case: UseCase) -> dict[str, list[Any]]:
    """Keys of checked columns, (n_rows,) each; null where they name no row."""
    nothing = [None] * len(columns["label"])
    return {key: columns.get(key, nothing) for key in use_case.keys}


def check(sent: SentColumns, use_case: UseCase, now: datetime) -> dict[str, list[Any]]:
    """Every member as a column of its type; a Problem at the first row that does not fit."""
    declared = members(use_case)
    for name, values in sent.columns.items():
        if name not in declared:
            row = next(i for i, value in enumerate(values) if value is not MISSING)
            if name in use_case.keys:
                raise _nameless(row, use_case)
            hint = nearest(name[:LONGEST_HINT], list(declared))
            raise Problem("bad_cell", f"Row {row}: unknown member; {hint}", row)
    found: dict[str, list[Any]] = {}
    for name, column in declared.items():
        default = None if column.nullable else MISSING
        values = sent.columns.get(name) or [MISSING] * sent.n_rows
        given = [default if value is MISSING else value for value in values]
        found[name] = [cell(value, row, name, column) for row, value in enumerate(given)]
    for row in range(sent.n_rows):
        _check_row(row, {name: values[row] for name, values in found.items()}, use_case, now)
    return found


def _check_row(row: int, said: dict[str, Any], use_case: UseCase, now: datetime) -> None:
    keys = [name for name in use_case.label_keys if said[name] is not None]
    prediction_id = said["prediction_id"]
    if prediction_id is not None and not PREDICTION_ID.fullmatch(prediction_id):
        refuse(row, "prediction_id", "the id of a prediction", "another text")
    if (prediction_id is not None) == bool(keys) or (keys and len(keys) < len(use_case.keys)):
        raise _nameless(row, use_case)
    if problem := label_problem(use_case.columns[use_case.target], said["label"]):
        raise Problem("bad_cell", f"Row {row}, column 'label': {problem}.", row, "label")
    if said["label_time"] is not None and said["label_time"] > now + CLOCK_SKEW:
        refuse(row, "label_time", "a time that has passed", "a later one")


def _nameless(row: int, use_case: UseCase) -> Problem:
    why = ", and not both" if use_case.label_keys else ": the log leaves out a key"
    return Problem("bad_cell", f"Row {row}: {names_a_row(use_case)} is needed{why}.", row)
