"""The record of answered rows: written to the table `predictions` before the answer leaves."""

import asyncio
from typing import Any

import pyarrow as pa

from contract.predictions import predictions_schema
from contract.tables import Tables
from contract.use_case import UseCase
from serving.answered import Answered, schema_hash


class PredictionLog:
    """Appends to `predictions`, one commit at a time: more writers would lose commits."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._schemas: dict[str, pa.Schema] = {}
        self._one_at_a_time = asyncio.Lock()

    def declare(self, use_case: UseCase) -> str:
        """Make the columns of a use case known before its first record; their schema hash."""
        name = schema_hash(use_case)
        self._schemas.setdefault(name, predictions_schema(use_case))
        return name

    async def append(self, answered: Answered) -> bool:
        """Write one record for each row; whether they are logged."""
        table = pa.Table.from_pylist(records(answered), schema=self._schemas[answered.schema_hash])
        async with self._one_at_a_time:
            await asyncio.to_thread(self._tables.append, "predictions", table)
        return True


def records(answered: Answered) -> list[dict[str, Any]]:
    """One record for each row, as the table `predictions` holds it."""
    constant: dict[str, Any] = {
        "request_id": answered.request_id,
        "logged_time": answered.logged_time,
        "model": answered.model,
        "version": answered.version,
        "latency_ms": answered.latency_ms,
    }
    return [
        constant
        | {
            "prediction_id": prediction_id,
            "row": row,
            "event_time": answered.event_time[row] or answered.logged_time,
            "inputs": {name: values[row] for name, values in answered.features.items()},
            "prediction": answered.prediction[row],
            "probability": answered.probability[row] if answered.probability else None,
            "flags": answered.flags[row],
            "shadow": str(answered.shadow[row]) if answered.shadow else None,
        }
        | {key: values[row] for key, values in answered.keys.items()}
        for row, prediction_id in enumerate(answered.prediction_ids)
    ]
