"""Event times that can be judged: those that windows can hold, and that have come.

A caller may say any time. Its row is answered and logged like every other, with a flag where the
time can't be judged.
"""

from datetime import UTC, datetime, timedelta

# pandas and the query engine count nanoseconds in 64 bits, from 1677 to 2262.
EARLIEST = datetime(1700, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)  # so far may a caller's clock or time zone be off
FLAG = "out_of_range"  # as of any value beyond its range


def judgeable(time: datetime, now: datetime) -> bool:
    """Whether a row of this event time can be judged now."""
    return EARLIEST <= time <= now + AHEAD
