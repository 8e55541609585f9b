"""The kinds of records that shippers move, each into its table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contract.names import TableName
from contract.store.predictions import PARTITION
from serving.log.record import RecordSchema
from serving.log.segment_frames import FrameKind
from serving.shipping.feedback_rows import feedback_rows
from serving.shipping.prediction_rows import prediction_rows


@dataclass(frozen=True)
class RecordKind:
    """A kind of record, its table and the way from one to the other."""

    frame_kind: FrameKind
    table: TableName
    partition_by: tuple[str, ...]
    rows: Callable[[RecordSchema, Sequence[Any]], pa.Table]


PREDICTIONS = RecordKind(FrameKind.PREDICTIONS, "predictions", (PARTITION,), prediction_rows)
FEEDBACK = RecordKind(FrameKind.FEEDBACK, "feedback", (), feedback_rows)
