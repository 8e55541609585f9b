"""A window reads the files of its own days: the others may be gone."""

from datetime import timedelta
from pathlib import Path

from contract.store.tables import Tables
from monitoring.windows.rows import WindowReader
from monitoring.windows.window import WindowRequest, resolve
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
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
