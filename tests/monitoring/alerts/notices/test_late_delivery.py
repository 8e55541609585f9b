"""What is late: by when rows of the source last entered, and stayed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from contract.names import DELIVERY
from contract.store.tables import BROUGHT, COLLECTED, Tables
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from monitoring.alerts.notices.late_delivery import collected_at, look
from tests.conftest import MADE

DAILY = MADE.replace("source: {csv: rows.csv}", "source: {csv: rows.csv, expect_every: 1 day}")


def expecting(home: Path, every: str = "1 day") -> UseCase:
    return parse_use_case(DAILY.replace("1 day", every), "made.yaml", home)


def bring(tables: Tables, number: int, collected: bool = True) -> datetime:
    rows = pa.table({DELIVERY: pa.array([number], pa.int64())})
    brought = {BROUGHT: str(number), COLLECTED: "yes" if collected else "no"}
    tables.append("raw", rows, **brought)
    commit = tables.history("raw")[0]
    return datetime.fromtimestamp(int(str(commit["timestamp"])) / 1000, UTC)


@pytest.mark.parametrize(
    ("every", "right"),
    [
        ("1 day", timedelta(days=1)),
        ("6 hours", timedelta(hours=6)),
        ("2 weeks", timedelta(weeks=2)),
        ("45 minutes", timedelta(minutes=45)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(home: Path, every: str, right: timedelta) -> None:
    assert expecting(home, every).source.expected_every == right


@pytest.mark.parametrize("wrong", ["1d", "0 days", "1.5 days", "-1 day", "1 month", "day"])
def test_another_duration_is_refused_with_an_example(home: Path, wrong: str) -> None:
    with pytest.raises(Exception, match=r"expect_every: .*e\.g\. '36 hours', found"):
        expecting(home, wrong)


def test_it_is_late_once_it_is_older_and_well_before(tables: Tables, home: Path) -> None:
    use_case, day = expecting(home), timedelta(days=1)
    assert look(use_case, tables, datetime.now(UTC)) is None
    at = bring(tables, 1)
    on_time = look(use_case, tables, at + day)
    late = look(use_case, tables, at + day + timedelta(minutes=61))
    later = look(use_case, tables, at + 3 * day)
    assert on_time is not None
    assert on_time.about == ""
    assert late is not None
    assert later is not None
    assert late.about == later.about == at.isoformat()
    assert late.reasons == (
        f"The source has brought nothing new since {at:%Y-%m-%d %H:%M} UTC (25 h 1 min ago); "
        "source.expect_every is 1 day.",
    )
    assert "(3 days 0 h ago)" in later.reasons[0]
    undeclared = use_case.source.model_copy(update={"expect_every": None})
    assert look(use_case.model_copy(update={"source": undeclared}), tables, at + 3 * day) is None


def test_what_was_taken_out_again_and_labelled_answers_do_not_count(tables: Tables) -> None:
    first = bring(tables, 1)
    bring(tables, 2)
    tables.delete("raw", f"{DELIVERY} > 1")  # refused
    bring(tables, 2, collected=False)
    assert collected_at(tables) == first
    tables.delete("raw", f"{DELIVERY} = 1")
    assert collected_at(tables) is None
