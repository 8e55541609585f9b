"""`POST /feedback`: labels for predictions, each checked, and in the log before the answer.

Whether a prediction exists can't be asked here: another worker may have made it just now. So an
unknown one is accepted, and its label waits in the table until the prediction is there.
"""

import asyncio

import msgspec

from serving.endpoints.answering import AnsweringVersion
from serving.endpoints.context import WorkerContext
from serving.endpoints.predictions import PredictionEndpoint
from serving.log.feedback_record import FeedbackRecord
from serving.requests.columns import bounded, transpose
from serving.requests.errors import JSON, Problem, Response
from serving.requests.label_columns import check_labels, keys_of, rows_of
from serving.requests.loop_share import FEW_ROWS_BYTES
from serving.requests.request import Request
from serving.requests.strict_json import parse_json


class LabelEndpoint:
    """Takes feedback for the use case whose version answers now."""

    def __init__(self, context: WorkerContext, predictions: PredictionEndpoint) -> None:
        self._predictions, self._log = predictions, context.feedback_log
        self._max_rows = context.settings.serve_max_rows
        self._metrics, self._clock = context.metrics, context.clock

    async def feedback(self, call: Request, body: bytes) -> Response:
        """Accept the labels of a body, all or none."""
        version = self._predictions.answering()
        call.version = version.served.version
        schema_hash = self._log.declare(version.use_case)
        if len(body) <= FEW_ROWS_BYTES:
            record = self._read(body, version, schema_hash, call)
        else:
            record = await asyncio.to_thread(self._read, body, version, schema_hash, call)
        if not await self._log.append(record):
            raise Problem("log_full", "Feedback is not taken: this service keeps no log.")
        call.rows = record.n_rows
        self._metrics.feedback(record.n_rows)
        receipt = {"request_id": record.request_id, "accepted": record.n_rows}
        return Response(202, msgspec.json.encode(receipt), JSON, [])

    def _read(
        self, body: bytes, version: AnsweringVersion, schema_hash: str, call: Request
    ) -> FeedbackRecord:
        now, use_case = self._clock(), version.use_case
        sent = transpose(rows_of(parse_json(body)))
        bounded(sent.n_rows, self._max_rows)
        columns = check_labels(sent, use_case, now)
        event_time = columns.pop(use_case.event_time) if use_case.event_time else None
        return FeedbackRecord(
            request_id=call.own_id,
            schema_hash=schema_hash,
            prediction_id=columns["prediction_id"],
            keys=version.pseudonymiser.apply(keys_of(columns, use_case)),
            event_time=event_time or [None] * sent.n_rows,
            label=columns["label"],
            label_time=columns["label_time"],
            received_time=now,
            key_id=call.key,
        )
