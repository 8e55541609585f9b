"""Which rows of `predictions` a report is about: by time, the newest N, or what commits added."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contract.errors import BadInput
from contract.labels import moment
from contract.predictions import PARTITION
from contract.tables import Tables
from contract.use_case import UseCase

Span = tuple[datetime, datetime]  # [start, end)


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line; nothing: the newest declared window."""

    start: date | None = None  # days of the use case's time zone, [start, end)
    end: date | None = None
    last: int | None = None  # newest rows
    versions: tuple[int, int] | None = None  # rows added after the one, up to the other


@dataclass(frozen=True)
class Window:
    """Rows of one table version, as a name and conditions in SQL over the table `predictions p`.

    Every query of a report reads the same table version, so that its figures agree.
    """

    title: str
    table_version: int | None  # None: there is no table yet
    where: tuple[str, ...] = ()
    after: int | None = None  # table version whose rows are left out
    start: datetime | None = None  # bounds of event time that were asked for
    end: datetime | None = None


def resolve(asked: Asked, tables: Tables, use_case: UseCase) -> Window:
    """The window that was asked for, on the newest table version."""
    given = [asked.last is not None, asked.versions is not None, bool(asked.start or asked.end)]
    if sum(given) > 1:
        raise BadInput("One window is needed: from and until, or last, or versions; found several.")
    if not tables.exists("predictions"):
        return _between(asked.start, asked.end, None, use_case)
    version = tables.version("predictions")
    if asked.versions is not None:
        return _added(asked.versions, version)
    if asked.last is not None:
        return _last(asked.last, tables, version)
    start, end = asked.start, asked.end
    if start is None and end is None:
        start, end = _newest(tables, version, use_case)
    return _between(start, end, version, use_case)


def read_day(name: str, text: str) -> date | None:
    """A day of the command line; empty is none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(f"{name}: a day like 2013-07-01 is needed, found {text!r}.") from None


def read_count(name: str, text: str) -> int | None:
    """A positive whole number of the command line; empty is none."""
    if not text:
        return None
    if not text.isdigit() or not int(text):
        raise BadInput(f"{name}: a whole number above zero is needed, found {text!r}.")
    return int(text)


def read_versions(text: str) -> tuple[int, int] | None:
    """A range of table versions like 3-7; empty is none."""
    if not text:
        return None
    first, _, last = text.partition("-")
    if not (first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise BadInput(f"versions: a rising range like 3-7 is needed, found {text!r}.")
    return int(first), int(last)


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


def literal(text: str) -> str:
    """A text as SQL reads it."""
    return "'" + text.replace("'", "''") + "'"


def _between(
    start: date | None,
    end: date | None,
    version: int | None,
    use_case: UseCase,
) -> Window:
    if start and end and start >= end:
        raise BadInput(f"from {start} must be before until {end}.")
    zone = ZoneInfo(use_case.time_zone)
    bounds = [None if d is None else datetime.combine(d, time(), zone) for d in (start, end)]
    where = []
    for at, sign in zip(bounds, (">=", "<"), strict=True):
        if at is not None:
            where.append(f"p.event_time {sign} {moment(at)}")
            # Said of the partition too, so that the files of other days are not even opened.
            where.append(f"p.{PARTITION} {sign[0]}= DATE '{at.astimezone(UTC).date()}'")
    title = "all predictions" if not where else f"{start or '…'} to {end or '…'}"
    return Window(title, version, tuple(where), None, *bounds)


def _newest(tables: Tables, version: int, use_case: UseCase) -> tuple[date | None, date | None]:
    found = tables.query(
        "SELECT max(event_time) AS newest FROM predictions",
        predictions=tables.open("predictions", version),
    )
    newest = found.column("newest")[0].as_py()
    if newest is None:
        return None, None
    day = newest.astimezone(ZoneInfo(use_case.time_zone)).date()
    return period(day, use_case.monitoring.every)


def _last(n_rows: int, tables: Tables, version: int) -> Window:
    found = tables.query(
        "SELECT event_time, prediction_id FROM predictions "  # noqa: S608, a whole number
        f"ORDER BY event_time DESC, prediction_id DESC LIMIT 1 OFFSET {n_rows - 1}",
        predictions=tables.open("predictions", version),
    )
    title = f"last {n_rows:,} rows"
    if not found.num_rows:  # there are fewer
        return Window(title, version)
    at = moment(found.column("event_time")[0].as_py())
    oldest = literal(found.column("prediction_id")[0].as_py())
    where = f"(p.event_time > {at} OR (p.event_time = {at} AND p.prediction_id >= {oldest}))"
    return Window(title, version, (where,))


def _added(versions: tuple[int, int], newest: int) -> Window:
    after, upto = versions
    if upto > newest:
        raise BadInput(f"versions: table 'predictions' has no version {upto}; newest: {newest}.")
    return Window(f"table versions {after + 1} to {upto}", upto, (), after)
