"""The agenda of a replay: in which order its clock sees traffic, reports and labels."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from contract.use_case.sections.monitoring import Monitoring
from monitoring.windows.declared import period
from pipelines.data.after_holdout import Days

What = Literal["labels", "report", "traffic"]
# At one moment: what has arrived by then counts in a report, and both count before more is asked.
ORDER: tuple[What, ...] = ("labels", "report", "traffic")


@dataclass(frozen=True)
class TimelineEvent:
    """One thing that happens to a window, on the morning of a day."""

    at: date
    what: What
    window: Days

    def __str__(self) -> str:
        return f"{self.at}: {self.what} of {self.window}"


def windows(first: date, last: date, policy: Monitoring) -> tuple[Days, ...]:
    """The declared windows from `first` on, the last one with the day `last` in it."""
    days, start = [], first
    while start <= last:
        end = period(start, policy.every)[1]
        days.append(Days(start, end))
        start = end
    return tuple(days)


def agenda(asked: tuple[Days, ...], label_lag_days: int) -> tuple[TimelineEvent, ...]:
    """All that happens, in order.

    A window's traffic is asked at its start, for whoever answers then answers all of it; its report
    comes at its end; its labels are there when so many days have passed since.
    """
    lag = timedelta(days=label_lag_days)
    events = [
        event
        for window in asked
        for event in (
            TimelineEvent(window.start, "traffic", window),
            TimelineEvent(window.end, "report", window),
            TimelineEvent(window.end + lag, "labels", window),
        )
    ]
    return tuple(sorted(events, key=lambda e: (e.at, ORDER.index(e.what), e.window.start)))
