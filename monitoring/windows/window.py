"""Which rows of `predictions` a report is about: by time, the newest N, or what commits added.

Of those, the ones that count: asked for in earnest, of a time that can be judged.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deltalake import DeltaTable

from contract.errors import BadInput
from contract.names import FORM, HTTP
from contract.store.labels import moment
from contract.store.predictions import PARTITION
from contract.store.tables import Tables
from contract.use_case.event_time import AHEAD, EARLIEST
from contract.use_case.model import UseCase
from monitoring.windows.declared import Days, choose, period

# Quarters of an hour of event time: they add up to days in every time zone.
QUARTER = "date_bin(INTERVAL '15 minutes', p.event_time, TIMESTAMP '1970-01-01')"
A_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True)
class WindowRequest:
    """What was asked for on the command line; nothing: the newest declared window to judge."""

    start: date | None = None  # days of the use case's time zone, [start, end)
    end: date | None = None
    last: int | None = None  # newest rows
    versions: tuple[int, int] | None = None  # rows added after the one, up to the other
    to_judge: bool = True  # or to read from: then the newest window with rows, ended or not


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
    newer: str = ""  # declared windows with rows that were passed over, and why; "" for none
    # UTC days of event time that `where` allows, [first, last]; None: no bound
    first_day: date | None = None
    last_day: date | None = None

    def of_day(self, day: date) -> "Window":
        """The rows of one UTC day alone."""
        where = (*self.where, f"p.{PARTITION} = DATE '{day}'")
        return replace(self, where=where, first_day=day, last_day=day)


def resolve(request: WindowRequest, tables: Tables, use_case: UseCase, now: datetime) -> Window:
    """The window that was asked for, on the newest table version, with the rows that count now."""
    by_day = bool(request.start or request.end)
    if sum((request.last is not None, request.versions is not None, by_day)) > 1:
        raise BadInput("One window is needed: from and until, or last, or versions; found several.")
    if not tables.exists("predictions"):
        return _between(request.start, request.end, None, use_case)
    version = tables.version("predictions")
    opened = tables.open("predictions", version)
    counted = counting(opened, now)
    if request.versions is not None:
        window = _added(request.versions, version)
    elif request.last is not None:
        window = _last(request.last, tables, opened, counted)
    elif by_day:
        window = _between(request.start, request.end, version, use_case)
    else:
        rows = _rows_by_window(tables, opened, counted, use_case)
        may_run = rows and not request.to_judge
        chosen, newer = (max(rows), "") if may_run else choose(rows, now, use_case)
        window = replace(_between(*chosen, version, use_case), newer=newer)
    return replace(window, where=(*window.where, *counted))


def counting(table: DeltaTable, now: datetime) -> tuple[str, ...]:
    """Conditions for predictions `p` that count: a person's tries do not, nor impossible times."""
    times = f"p.event_time BETWEEN {moment(EARLIEST)} AND {moment(now + AHEAD)}"
    return times, *in_earnest(table)


def in_earnest(table: DeltaTable) -> tuple[str, ...]:
    """The condition for predictions `p` that the form of the status page did not ask for."""
    # Tables of older releases have no such column, and their rows no value in it.
    has_source = "source" in {field.name for field in table.schema().fields}
    return (f"coalesce(p.source, {literal(HTTP)}) <> {literal(FORM)}",) if has_source else ()


def read_day(name: str, text: str) -> date | None:
    """A day of the command line; empty is none."""
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(f"{name}: a day like 2013-07-01 is needed, found {text!r}.") from None
    # A window begins and ends in a time zone, and calendars end with the year 9999.
    if day is not None and not EARLIEST.year <= day.year < date.max.year:
        years = f"from {EARLIEST:%Y} to {date.max.year - 1}"
        raise BadInput(f"{name}: a day of the years {years} is needed, found {text!r}.")
    return day


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
    days = [at and at.astimezone(UTC).date() for at in bounds]
    where = []
    for at, day, sign in zip(bounds, days, (">=", "<"), strict=True):
        if at is not None:
            where.append(f"p.event_time {sign} {moment(at)}")
            # Said of the partition too, so that the files of other days are not even opened.
            where.append(f"p.{PARTITION} {sign[0]}= DATE '{day}'")
    title = "all predictions" if not where else f"{start or '…'} to {end or '…'}"
    return Window(
        title,
        version,
        tuple(where),
        start=bounds[0],
        end=bounds[1],
        first_day=days[0],
        last_day=days[1],
    )


def _rows_by_window(
    tables: Tables, opened: DeltaTable, counted: Sequence[str], use_case: UseCase
) -> dict[Days, int]:
    """Rows that count in each declared window that has any, of the version with most of them."""
    zone, every = ZoneInfo(use_case.time_zone), use_case.monitoring.every
    answered: Counter[tuple[Days, str]] = Counter()
    for quarter, version, n_rows in _quarters(tables, opened, counted):
        day = quarter.astimezone(zone).date()
        answered[period(day, every), version] += n_rows
    most: dict[Days, int] = {}
    for (days, _), n_rows in answered.items():
        most[days] = max(n_rows, most.get(days, 0))
    return most


def _quarters(
    tables: Tables, opened: DeltaTable, counted: Sequence[str]
) -> Iterator[tuple[datetime, str, int]]:
    """Rows that count, by the beginning of their quarter of an hour and by version."""
    counts = tables.query(
        f"SELECT {QUARTER} AS quarter, p.version, count(*) AS n FROM predictions p "  # noqa: S608
        f"WHERE {' AND '.join(counted)} GROUP BY 1, 2",
        predictions=opened,
    )
    for row in counts.to_pylist():
        yield row["quarter"].replace(tzinfo=UTC), row["version"], row["n"]


def _last(n_rows: int, tables: Tables, opened: DeltaTable, counted: Sequence[str]) -> Window:
    title, version = f"last {n_rows:,} rows", int(opened.version())
    # A quarter of an hour is found first: only its rows are put in order, whatever `n_rows` is.
    left, rows = n_rows, Counter[datetime]()
    for quarter, _, n in _quarters(tables, opened, counted):
        rows[quarter] += n
    for quarter in sorted(rows, reverse=True):
        if left <= rows[quarter]:
            break
        left -= rows[quarter]
    else:  # there are fewer
        return Window(title, version)
    day = quarter.date()
    within = (f"p.event_time >= {moment(quarter)}", f"p.event_time < {moment(quarter + A_QUARTER)}")
    oldest_row = tables.query(
        "SELECT p.event_time, p.prediction_id FROM predictions p "  # noqa: S608
        f"WHERE {' AND '.join((*counted, *within))} AND p.{PARTITION} = DATE '{day}' "
        f"ORDER BY p.event_time DESC, p.prediction_id DESC LIMIT 1 OFFSET {left - 1}",
        predictions=opened,
    )
    at = moment(oldest_row.column("event_time")[0].as_py())
    oldest = literal(oldest_row.column("prediction_id")[0].as_py())
    where = f"(p.event_time > {at} OR (p.event_time = {at} AND p.prediction_id >= {oldest}))"
    return Window(title, version, (where, f"p.{PARTITION} >= DATE '{day}'"), first_day=day)


def _added(versions: tuple[int, int], newest: int) -> Window:
    after, upto = versions
    if upto > newest:
        raise BadInput(f"versions: table 'predictions' has no version {upto}; newest: {newest}.")
    return Window(f"table versions {after + 1} to {upto}", upto, (), after)
