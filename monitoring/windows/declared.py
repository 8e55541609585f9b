"""Declared windows: calendar periods in the use case's time zone, and which one is judged."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contract.use_case.model import UseCase

Span = tuple[datetime, datetime]  # [start, end)
Days = tuple[date, date]  # [first day, first day after) in the use case's time zone
MAX_NAMED = 3  # windows that were passed over


def choose(rows: Mapping[Days, int], now: datetime, use_case: UseCase) -> tuple[Days, str]:
    """The newest declared window that has ended and can be judged; what newer ones hold, in words.

    `rows` are those that count in each window, of the version with most of them. A window can be
    judged with `monitoring.min_rows`. Where none can, it is the newest one with rows; where none
    has, the one that ended last.
    """
    running = period(now.astimezone(ZoneInfo(use_case.time_zone)).date(), use_case.monitoring.every)
    ended = {days: n for days, n in rows.items() if days[1] <= running[0]}
    enough = [days for days, n in ended.items() if n >= use_case.monitoring.min_rows]
    last = period(running[0] - timedelta(days=1), use_case.monitoring.every)
    chosen = max(enough or ended or [last])
    newer = sorted(days for days in rows if days > chosen)
    passed_over = [
        f"{start} to {end} holds {rows[start, end]:,} rows, "
        + ("too few to judge" if end <= running[0] else "and has not ended")
        for start, end in newer[-MAX_NAMED:]
    ]
    return chosen, "; ".join(passed_over)


def period(day: date, every: str) -> tuple[date, date]:
    """The declared window that a day falls into, [first day, first day after)."""
    if every == "day":
        return day, day + timedelta(days=1)
    if every == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def apart(spans: Iterable[Span], every: str) -> list[Span]:
    """Windows [start, end) that share no time, oldest first, so that no row counts twice.

    A declared window stands; one that somebody asked for counts where it meets no declared one and
    no newer one.
    """
    kept: list[Span] = []
    for start, end in sorted(spans, key=lambda s: (_declared(s, every), s[1]), reverse=True):
        if all(end <= other[0] or other[1] <= start for other in kept):
            kept.append((start, end))
    return sorted(kept)


def _declared(span: Span, every: str) -> bool:
    """Whether this is a declared window; both moments are in the use case's time zone."""
    start, end = span
    days = (start.date(), end.date())
    return start.time() == end.time() == time() and period(days[0], every) == days
