"""When jobs are due and which windows they must cover: plain values in, plain values out."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from contract.errors import BadInput
from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import ELSEWHERE, Job, Schedule
from monitoring.windows.declared import period

# Windows that are looked at again: labels that are about two months late still make a revision.
LOOK_BACK = {"day": 60, "week": 20, "month": 12}
Days = tuple[date, date]  # [first day, first day after) in the use case's time zone


@dataclass(frozen=True)
class WindowContent:
    """What a window holds. Any change of the labels that count changes one of the figures."""

    rows: int = 0
    labels: int = 0
    revisions: int = 0  # of labels, summed: one for each label, and one for each correction

    @property
    def mark(self) -> str:
        """As it is kept."""
        return f"{self.rows} rows, {self.labels} labels, {self.revisions} revisions"

    @classmethod
    def read(cls, mark: str) -> "WindowContent":
        """What a mark says."""
        return cls(*(int(word) for word in mark.split() if word.isdigit()))

    def exceeds(self, other: "WindowContent") -> bool:
        """Whether a figure is larger."""
        return any(a > b for a, b in zip(astuple(self), astuple(other), strict=True))


@dataclass(frozen=True)
class JobState:
    """What is known of a job; kept on the disk."""

    done: datetime | None = None  # when the last run that did all its work began, UTC
    tried: datetime | None = None  # when the last run ended, good or not
    failures: int = 0  # runs that failed since the last good one
    trouble: str = ""  # why the last run did not do its work, in words; empty: it did
    notice: str = ""  # what a person must look at although it did
    child: str = ""  # identity of the process at work; empty: none
    since: datetime | None = None  # when the run at work began
    marks: Mapping[str, str] = field(default_factory=dict)  # what was done, of what content


def check(use_case: UseCase) -> None:
    """BadInput where an expression is no time that ever comes."""
    for job, cron in use_case.jobs.items():
        try:
            _tick(use_case, job, datetime(2026, 1, 1, tzinfo=UTC))
        except (CronSimError, StopIteration) as error:
            why = str(error) or "no such day ever comes"
            raise BadInput(
                f"{key_of(job)} of {use_case.name!r}: {cron!r} is no cron expression ({why}); "
                "minute hour day month weekday is right, e.g. '15 2 * * *'."
            ) from error


def key_of(job: Job) -> str:
    """The key of a use case that says when a job runs."""
    return "batch.cron" if job == ELSEWHERE else f"schedule.{job}"


def first_due(
    use_case: UseCase, job: Job, state: JobState, started: datetime, now: datetime
) -> datetime:
    """When a job became or becomes due after its last good run.

    However many ticks were missed since, the job is due once. One that never ran is due since the
    scheduler started.
    """
    return started if state.done is None else _tick(use_case, job, min(state.done, now))


def next_try(
    use_case: UseCase, job: Job, state: JobState, started: datetime, now: datetime
) -> datetime:
    """When a job runs next; a time that has passed is now.

    After a failure it is tried again, each time after a pause twice as long; after `attempts`
    failures only once at each tick.
    """
    schedule = use_case.schedule
    if state.tried is None or not state.trouble:
        return first_due(use_case, job, state, started, now)
    tried = min(state.tried, now)  # a clock that was set back must not put it off
    following = _tick(use_case, job, tried)
    if state.failures >= schedule.attempts:
        return following
    return min(tried + pause(schedule, state.failures), following)


def deadline_s(job: Job, use_case: UseCase) -> float:
    """How long one command of a job may take; one that trains as long as a retraining may."""
    trains = job in ("pipeline", "retrain")
    return use_case.retraining.max_hours * 3600 if trains else use_case.schedule.deadline_s


def pause(schedule: Schedule, failures: int) -> timedelta:
    """How long to wait after so many failures."""
    return timedelta(seconds=schedule.retry_s * 2 ** max(failures - 1, 0))


def ended_windows(now: datetime, newest: datetime | None, use_case: UseCase) -> list[Days]:
    """The declared windows that a monitor job looks at, oldest first: `look_back` that have ended.

    `newest` is the newest event before the running window. Where it lies further back than
    that, traffic is of another time, as in a replay: the windows end with its own.
    """
    zone, every = ZoneInfo(use_case.time_zone), use_case.monitoring.every
    count = use_case.schedule.look_back or LOOK_BACK[every]
    ended = _before(running_window(now, use_case)[0], every, count)
    if newest is None or newest.astimezone(zone).date() >= ended[0][0]:
        return ended
    return _before(period(newest.astimezone(zone).date(), every)[1], every, count)


def running_window(now: datetime, use_case: UseCase) -> Days:
    """The declared window that has not ended yet."""
    today = now.astimezone(ZoneInfo(use_case.time_zone)).date()
    return period(today, use_case.monitoring.every)


def counted_windows(
    ended: Sequence[Days], content: Mapping[str, WindowContent], reported: Mapping[str, str]
) -> list[Days]:
    """Windows since the first answers: from there on an empty one is news, too."""
    with_answers = (w for w in ended if content[title(w)].rows or title(w) in reported)
    first = next(with_answers, None)
    return list(ended[ended.index(first) :]) if first else []


def due_windows(
    windows: Sequence[Days], content: Mapping[str, WindowContent], reported: Mapping[str, str]
) -> list[Days]:
    """Windows without a report, and those that have more rows or labels than at their last one.

    What has less lost rows to `maintain` or `forget`: the report that was made of them stands.
    """
    return [
        window
        for window in windows
        if (mark := reported.get(title(window))) is None
        or content[title(window)].exceeds(WindowContent.read(mark))
    ]


def title(window: Days) -> str:
    """A window in words."""
    return f"{window[0]} to {window[1]}"


def _before(end: date, every: str, count: int) -> list[Days]:
    windows: list[Days] = []
    for _ in range(count):
        windows.append(period(end - timedelta(days=1), every))
        end = windows[-1][0]
    return windows[::-1]


def _tick(use_case: UseCase, job: Job, after: datetime) -> datetime:
    cron, zone = use_case.jobs[job], ZoneInfo(use_case.time_zone)
    # In UTC, for times of one zone are subtracted as if its clock were never set.
    return next(CronSim(cron, after.astimezone(zone))).astimezone(UTC)
