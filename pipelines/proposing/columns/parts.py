"""Which parts of a time a model may learn from: those that come round again in these rows."""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.sections.derived import Part
from pipelines.proposing.columns.facts import SeenColumn

DAY = timedelta(days=1)
# A part, what takes it, how many values it has, and how long they take to come round.
CYCLES: tuple[tuple[Part, Callable[[Any], Any], int, timedelta], ...] = (
    ("hour", pc.hour, 24, DAY),
    ("day_of_week", pc.day_of_week, 7, 7 * DAY),
    ("month", pc.month, 12, 365 * DAY),
)
TWICE = 2
BORN = ("birth", "dob", "born")


def parts_of(column: SeenColumn, zone: str, names: Collection[str]) -> tuple[Part, ...]:
    """The parts that vary by the clock of the zone and have come round twice; none of a time that
    some rows lack, of a day of birth, or whose name is among the `names` of columns.

    What has come round once a model meets for the first time in its holdout.
    """
    born = any(word in column.name.lower() for word in BORN)
    if column.kind != "timestamp" or column.nulls or not column.distinct or born:
        return ()
    span = column.ends[1] - column.ends[0]
    taken = {name.lower() for name in names}
    moments = column.counts.field("values")
    if moments.type.tz:
        moments = pc.local_timestamp(moments.cast(pa.timestamp("us", zone)))
    return tuple(
        part
        for part, take, values, length in CYCLES
        if span >= TWICE * length
        and column.distinct >= TWICE * values
        and len(pc.unique(take(moments))) > 1
        and f"{column.name}_{part}".lower() not in taken
    )
