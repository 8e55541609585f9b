"""A window is read day by day, of each day its own files: the others may be gone."""

from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

from contract.store.tables import Tables
from monitoring.measures.compare import frozen_columns
from monitoring.measures.count import count_window
from monitoring.windows.rows import WindowReader, by_day, served_versions
from monitoring.windows.window import WindowRequest, resolve
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.support import monitored
from tests.support.answers import MOMENT, answer, spooled

DAY = timedelta(days=1)
NOW = MOMENT + 30 * DAY


def test_a_days_window_opens_that_days_files_alone(home: Path) -> None:
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    days = [answer(use_case, f"r{n}", 3, event_time=[MOMENT + n * DAY] * 3) for n in range(4)]
    spooled(home / "s", use_case, days)
    Shipper(home / "s", tables).drain()
    wanted = (MOMENT + 2 * DAY).date()
    for path in Path(tables.uri("predictions")).rglob("*.parquet"):
        if f"event_date={wanted}" not in str(path):
            path.unlink()
    window = resolve(WindowRequest(wanted, wanted + DAY), tables, use_case, NOW)
    parts = WindowReader(tables, use_case, window, "7").stream(["size"], None)
    assert sum(part.num_rows for part in parts) == 3


def test_what_commits_added_is_read_of_their_days_also_after_files_were_merged(home: Path) -> None:
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    added = []
    for turn, days in enumerate([(0, 1, 2), (0, 1, 3), (1, 2)]):
        answers = [
            answer(use_case, f"r{turn}-{n}", 3, event_time=[MOMENT + n * DAY] * 3) for n in days
        ]
        spooled(home / f"s{turn}", use_case, answers)
        Shipper(home / f"s{turn}", tables).drain()
        added.append(tables.version("predictions"))
        if turn == 1:  # rows of both commits stand in files that neither has written
            assert tables.open("predictions").optimize.compact()["numFilesRemoved"]
    window = resolve(WindowRequest(versions=(added[1], added[2])), tables, use_case, NOW)
    reader = WindowReader(tables, use_case, window, "7")
    assert served_versions(tables, window) == ["7"]
    assert count_window(reader, ["size"], None, None).rows == 6
    assert len(reader.sample(["size"], 6, 10)) == 6
    before, now = (tables.open("predictions", at) for at in added[1:])
    found = [day.first_day for day in by_day(window, {"predictions": now, "before": before})]
    assert (MOMENT + DAY).date() in found
    assert (MOMENT + 3 * DAY).date() not in found
    window = resolve(WindowRequest(versions=(added[0], added[1])), tables, use_case, NOW)
    assert count_window(WindowReader(tables, use_case, window, "7"), [], None, None).rows == 9


def test_the_newest_rows_are_found_in_their_own_days(home: Path) -> None:
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    answers = [answer(use_case, f"r{n}", 3, event_time=[MOMENT + n * DAY] * 3) for n in range(4)]
    spooled(home / "s", use_case, answers)
    Shipper(home / "s", tables).drain()
    for wanted, days in ((1, 1), (3, 1), (4, 2), (12, 4), (13, 4)):
        window = resolve(WindowRequest(last=wanted), tables, use_case, NOW)
        opened = {"predictions": tables.open("predictions")}
        reader = WindowReader(tables, use_case, window, "7")
        assert count_window(reader, [], None, None).rows == min(wanted, 12)
        assert len(by_day(window, opened)) == days


def test_workers_count_a_day_each_to_the_same_bits(home: Path) -> None:
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    answers = [answer(use_case, f"r{n}", 3, event_time=[MOMENT + n * DAY] * 3) for n in range(4)]
    spooled(home / "s", use_case, answers)
    Shipper(home / "s", tables).drain()
    reader = WindowReader(
        tables, use_case, resolve(WindowRequest(last=8), tables, use_case, NOW), "7"
    )
    assert len(reader.days()) == 3
    frozen = frozen_columns(monitored.reference(), use_case)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        apart, here = (
            count_window(reader, monitored.FEATURES, frozen, 0, each) for each in (pool.map, None)
        )
    assert here.rows == 8
    assert repr(apart) == repr(here)
