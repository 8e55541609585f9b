"""Answers as the service gives them to the made use case, and a spool that holds some."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from contract.store.tables import Tables
from contract.use_case.model import UseCase
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema, decode, encode
from serving.log.segment_frames import FrameKind
from serving.log.spool import Spool, SpoolEntry, closed_segments
from serving.shipping.record_kinds import PREDICTIONS
from serving.shipping.segment_rows import read_segment
from serving.shipping.shipper import Shipper

MOMENT = datetime(2024, 3, 1, 12, tzinfo=UTC)
ONE_SEGMENT = 2**30


def answer(use_case: UseCase, request_id: str, n_rows: int = 1, **changes: Any) -> PredictionRecord:
    """One answered request of `n_rows` rows, an hour between two of them."""
    facts: dict[str, Any] = {
        "request_id": request_id,
        "model": use_case.name,
        "version": "7",
        "schema_hash": RecordSchema.of(use_case).schema_hash,
        "features": {"colour": ["red"] * n_rows, "size": [0.5] * n_rows, "group": ["a"] * n_rows},
        "keys": {"id": list(range(n_rows))},
        "event_time": [MOMENT + timedelta(hours=row) for row in range(n_rows)],
        "prediction": [True] * n_rows,
        "probability": [[0.25, 0.75]] * n_rows,
        "flags": [["unseen:colour"]] * n_rows,
        "latency_ms": 0.5,
        "logged_time": MOMENT + timedelta(days=1),
        "key_id": None,
    }
    return PredictionRecord(**facts | changes)


def spool_of(
    folder: Path,
    use_case: UseCase,
    max_bytes: int = ONE_SEGMENT,
    clock: Callable[[], float] = time.monotonic,
    max_age_s: float = 10,
) -> Spool:
    """A spool that knows the columns of the use case."""
    spool = Spool(folder, max_bytes, max_age_s, clock)
    schema = RecordSchema.of(use_case)
    spool.describe(schema.schema_hash, encode(schema))
    return spool


def entry(answered: PredictionRecord) -> SpoolEntry:
    """The record as a spool takes it."""
    return SpoolEntry(
        FrameKind.PREDICTIONS, answered.schema_hash, answered.n_rows, encode(answered)
    )


def records_in(folder: Path) -> list[PredictionRecord]:
    """What the closed segments of a folder hold, in order."""
    read = [read_segment(segment, PREDICTIONS) for segment in closed_segments(folder)]
    found = [decode(placed.frame) for part in read for _, group in part.groups for placed in group]
    return [one for one in found if isinstance(one, PredictionRecord)]


def spooled(folder: Path, use_case: UseCase, answers: Sequence[PredictionRecord]) -> None:
    """Leave one closed segment with these answers."""
    spool = spool_of(folder, use_case)
    spool.write([entry(answered) for answered in answers], sync=True)
    spool.close()


def uncounted(
    folder: Path, tables: Tables, use_case: UseCase, now: datetime, tried: datetime
) -> None:
    """Ship what never counts: answers of impossible times as of `now`, and tries of the form."""
    impossible = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1699, 12, 31, tzinfo=UTC),
        now + timedelta(days=1, seconds=1),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ]
    far = answer(use_case, "far", len(impossible), version="1", event_time=impossible)
    form = answer(use_case, "form", 40, version="1", event_time=[tried] * 40, source="form")
    spooled(folder, use_case, [far, form])
    Shipper(folder, tables).drain()
