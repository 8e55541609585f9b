"""Which windows count beside each other."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from monitoring.declared import apart

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
