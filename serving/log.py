"""The record of answered rows: written to the table `predictions` before the answer leaves."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from contract.predictions import predictions_schema
from contract.tables import Tables
from serving.codecs import Request
from serving.model import Scored, ServedModel


def now_utc() -> datetime:
    """The time of arrival."""
    return datetime.now(UTC)


class PredictionLog:
    """Appends to `predictions`, one commit at a time: more writers would lose commits."""

    def __init__(self, tables: Tables, clock: Callable[[], datetime] = now_utc) -> None:
        self._tables, self._clock = tables, clock
        self._one_at_a_time = threading.Lock()

    def append(
        self,
        served: ServedModel,
        request_id: str,
        request: Request,
        scored: Scored,
        latency_ms: float,
    ) -> list[str]:
        """Write one record for each row; their prediction ids, in order."""
        now = self._clock()
        ids = [f"{request_id}-{row}" for row in range(request.n_rows)]
        constant: dict[str, Any] = {
            "request_id": request_id,
            "logged_time": now,
            "model": served.name,
            "version": served.version,
            "latency_ms": latency_ms,
            "flags": [],
            "shadow": None,
        }
        records = [
            constant
            | {
                "prediction_id": ids[row],
                "row": row,
                "event_time": request.event_time[row] or now,
                "inputs": {name: values[row] for name, values in request.features.items()},
                "prediction": scored.prediction[row],
                "probability": scored.probability[row] if scored.probability else None,
            }
            | {key: values[row] for key, values in request.keys.items()}
            for row in range(request.n_rows)
        ]
        table = pa.Table.from_pylist(records, schema=predictions_schema(served.use_case))
        with self._one_at_a_time:
            self._tables.append("predictions", table)
        return ids
