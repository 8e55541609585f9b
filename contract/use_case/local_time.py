"""Times without an offset, read by the clock of the use case's time zone; docs/times.md."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

# Units in which times may be numbers since 1970-01-01 UTC.
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class NotOneMoment(ValueError):
    """A local time that the clock of its zone skips or shows twice, as it is put on or back."""

    def __init__(self, zone: str) -> None:
        super().__init__(
            f"the clock of {zone} skips this time or shows it twice; write it with its offset"
        )


def localised(time: datetime, zone: ZoneInfo) -> datetime:
    """The moment in UTC. NotOneMoment where the zone has none or two, OverflowError beyond year 1
    or 9999."""
    if time.tzinfo is not None:
        return time.astimezone(UTC)
    first = time.replace(tzinfo=zone).astimezone(UTC)
    # In a gap and in an overlap the two folds have different offsets (PEP 495).
    if time.replace(tzinfo=zone, fold=1).astimezone(UTC) != first:
        raise NotOneMoment(zone.key)
    return first
