"""What shippers carry: records of one kind, as rows of one table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from contract.names import TableName
from contract.predictions import PARTITION
from serving.feedback_rows import feedback_rows
from serving.frames import Kind
from serving.prediction_rows import prediction_rows
from serving.record import Schema


@dataclass(frozen=True)
class Cargo:
    """A kind of record, its table and the way from one to the other."""

    kind: Kind
    table: TableName
    partition_by: tuple[str, ...]
    rows: Callable[[Schema, Sequence[Any]], pa.Table]


PREDICTIONS = Cargo(Kind.PREDICTIONS, "predictions", (PARTITION,), prediction_rows)
FEEDBACK = Cargo(Kind.FEEDBACK, "feedback", (), feedback_rows)
