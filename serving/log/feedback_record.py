"""The value that passes from accepted feedback to the log."""

from datetime import datetime
from typing import Any

import msgspec


class FeedbackHead(msgspec.Struct, frozen=True, array_like=True):
    """What a record begins with: read alone, the rest of it is passed over."""

    request_id: str
    schema_hash: str  # of the use case whose columns these are


class FeedbackRecord(FeedbackHead, frozen=True, array_like=True):
    """One accepted request of feedback, as columns of (n_rows,) plain values.

    The order of the fields is record version 1 of the spool (serving.log.record).
    """

    prediction_id: list[str | None]  # None: the keys name the row
    keys: dict[str, list[Any]]
    event_time: list[datetime | None]
    label: list[Any]
    label_time: list[datetime | None]  # None: the time of arrival stands for it
    received_time: datetime  # UTC
    key_id: str | None  # which API key sent it; None where no keys are configured

    @property
    def n_rows(self) -> int:
        """How many labels there are."""
        return len(self.label)
