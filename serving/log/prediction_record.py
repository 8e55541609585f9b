"""The value that passes from an answered request to the log; it knows no disk and no model."""

import hashlib
import json
from datetime import datetime
from typing import Any

import msgspec

from contract.errors import Refused
from contract.names import HTTP
from contract.use_case.model import UseCase


class LogFull(Refused):
    """The log can't take the record, and policy `reject` says: then don't answer (503)."""


class PredictionHead(msgspec.Struct, frozen=True, array_like=True):
    """What a record begins with: read alone, the rest of it is passed over."""

    request_id: str
    model: str
    version: str
    schema_hash: str  # of the use case whose columns these are


class PredictionRecord(PredictionHead, frozen=True, array_like=True):
    """One answered request, as columns of (n_rows,) plain values.

    The order of the fields is record version 1 of the spool (serving.log.record). Fields may follow
    that have a default: it stands for them in records from before there were such.
    """

    features: dict[str, list[Any]]
    keys: dict[str, list[Any]]  # None where a key was not sent
    event_time: list[datetime | None]  # None: the time of arrival stands for it
    prediction: list[Any]
    probability: list[list[float]] | None  # (n_rows, n_classes)
    flags: list[list[str]]  # what was noticed in each row, e.g. "unseen:carrier"
    latency_ms: float
    logged_time: datetime  # UTC
    key_id: str | None  # which API key asked; None where no keys are configured
    source: str = HTTP  # where it was asked

    @property
    def n_rows(self) -> int:
        """How many rows were answered."""
        return len(self.prediction)

    @property
    def prediction_ids(self) -> list[str]:
        """`<request id>-<row>`: what feedback refers to."""
        return [f"{self.request_id}-{row}" for row in range(self.n_rows)]


def schema_hash(use_case: UseCase) -> str:
    """Names the columns and types of a record in the log, 16 hexadecimal digits."""
    typed = [*use_case.log_types.items(), (use_case.target, use_case.columns[use_case.target].type)]
    return hashlib.sha256(json.dumps([use_case.name, typed]).encode()).hexdigest()[:16]
