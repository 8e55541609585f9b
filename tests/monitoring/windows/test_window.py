"""Which windows count beside each other."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from contract.use_case.model import UseCase
from monitoring.windows.declared import Days, apart, choose
from tests.conftest import made_use_case

SUMMER = timezone(timedelta(hours=-4))


def span(start: str, end: str) -> tuple[datetime, datetime]:
    a, b = (datetime.fromisoformat(f"2024-{moment}").replace(tzinfo=UTC) for moment in (start, end))
    return a, b


MONTHS = [span("01-01", "02-01"), span("02-01", "03-01")]
CASES = {
    "declared ones": (MONTHS, MONTHS),
    "a day within a month": ([*MONTHS, span("02-28", "02-29")], MONTHS),
    "one that is longer and ends later": ([*MONTHS, span("01-01", "03-02")], MONTHS),
    "one beside them": (
        [*MONTHS, span("03-01", "03-09T01:00")],
        [*MONTHS, span("03-01", "03-09T01:00")],
    ),
    "none is declared: the newer of two": (
        [span("01-01", "01-11"), span("01-10", "01-20"), span("01-20", "01-30")],
        [span("01-10", "01-20"), span("01-20", "01-30")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_windows_share_no_time(name: str) -> None:
    windows, kept = CASES[name]
    assert apart(windows, "month") == kept
    assert apart(windows[::-1], "month") == kept


def test_a_month_is_declared_in_its_own_time_zone() -> None:
    july = datetime(2024, 7, 1, tzinfo=SUMMER), datetime(2024, 8, 1, tzinfo=SUMMER)
    later = datetime(2024, 7, 2, tzinfo=UTC), datetime(2024, 8, 2, tzinfo=UTC)
    assert apart([july, later], "month") == [july]


def month(number: int) -> Days:
    return date(2024, number, 1), date(2024, number + 1, 1)


MIDDLE_OF_MAY = datetime(2024, 5, 15, tzinfo=UTC)
CHOSEN = {  # rows in months of 2024, of which 30 are enough; the month that is judged
    "the newest that has ended": ({2: 30, 3: 50, 5: 900}, 3),
    "none that has too few": ({2: 30, 3: 29, 4: 1}, 2),
    "the newest with rows where none has enough": ({2: 5, 3: 4, 5: 900}, 3),
    "the one that ended last where only the running one has rows": ({5: 900}, 4),
    "the one that ended last where there are none": ({}, 4),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_the_window_to_judge(home: Path, name: str) -> None:
    rows, chosen = CHOSEN[name]
    known = {month(number): n for number, n in rows.items()}
    found, newer = choose(known, MIDDLE_OF_MAY, made_use_case(home))
    assert found == month(chosen)
    assert newer.count("holds") == sum(number > chosen for number in rows)


def test_windows_that_are_passed_over_are_told_with_the_reason(home: Path) -> None:
    rows = {month(3): 30, month(4): 2, month(5): 1000}
    assert choose(rows, MIDDLE_OF_MAY, made_use_case(home))[1] == (
        "2024-04-01 to 2024-05-01 holds 2 rows, too few to judge; "
        "2024-05-01 to 2024-06-01 holds 1,000 rows, and has not ended"
    )


def test_a_window_ends_by_the_clock_of_its_time_zone(home: Path) -> None:
    new_york: UseCase = made_use_case(home, {"time_zone": "America/New_York"})
    midnight = datetime(2024, 5, 1, 4, tzinfo=UTC)
    rows = {month(3): 30, month(4): 30}
    assert choose(rows, midnight, new_york)[0] == month(4)
    assert choose(rows, midnight - timedelta(minutes=1), new_york)[0] == month(3)
