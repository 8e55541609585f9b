"""`POST /feedback`: labels for predictions, checked by the letter and in the log before the answer.

Whether a prediction is known can't be asked here: another worker may have made it just now. So an
unknown one is accepted, and its label waits in the table until the prediction is there.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec

from contract.settings import Settings
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from serving.endpoints.predictions import ON_THE_LOOP_BYTES, PredictionEndpoints
from serving.log.feedback_record import FeedbackRecord
from serving.log.log import Log
from serving.requests.columns import bounded, transpose
from serving.requests.errors import JSON, Problem, Response
from serving.requests.label_columns import check_labels, keys_of, rows_of
from serving.requests.request import Request
from serving.requests.strict_json import parse_json
from serving.telemetry.metrics import Metrics


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
        receipt = {"request_id": record.request_id, "accepted": record.n_rows}
        return Response(202, msgspec.json.encode(receipt), JSON, [])

    def _read(
        self, body: bytes, use_case: UseCase, veil: Pseudonymiser, schema_hash: str, call: Request
    ) -> FeedbackRecord:
        now = self._clock()
        sent = transpose(rows_of(parse_json(body)))
        bounded(sent.n_rows, self._settings.serve_max_rows)
        columns = check_labels(sent, use_case, now)
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
