from datetime import date

import pytest

from contract.use_case.sections.monitoring import Monitoring
from pipelines.data.after_holdout import Days
from pipelines.replaying.timeline import agenda, windows

MONTHS = windows(date(2013, 7, 1), date(2013, 8, 31), Monitoring())


def test_windows_follow_the_holdout_and_hold_the_last_day() -> None:
    july, august = (
        Days(date(2013, 7, 1), date(2013, 8, 1)),
        Days(date(2013, 8, 1), date(2013, 9, 1)),
    )
    assert (july, august) == MONTHS
    weeks = windows(date(2024, 1, 3), date(2024, 1, 8), Monitoring(every="week"))
    assert [str(week) for week in weeks] == [
        "2024-01-03 to 2024-01-08",
        "2024-01-08 to 2024-01-15",
    ]
    assert windows(date(2024, 1, 3), date(2024, 1, 2), Monitoring()) == ()


@pytest.mark.parametrize(
    ("lag", "order"),
    [
        (0, ["traffic 7", "labels 7", "report 7", "traffic 8", "labels 8", "report 8"]),
        (30, ["traffic 7", "report 7", "traffic 8", "labels 7", "report 8", "labels 8"]),
        (31, ["traffic 7", "report 7", "traffic 8", "labels 7", "report 8", "labels 8"]),
        (40, ["traffic 7", "report 7", "traffic 8", "report 8", "labels 7", "labels 8"]),
    ],
)
def test_labels_that_are_there_count_in_the_next_report(lag: int, order: list[str]) -> None:
    found = agenda(MONTHS, lag)
    assert [f"{due.what} {due.window.start.month}" for due in found] == order
    assert [due.at for due in found] == sorted(due.at for due in found)
