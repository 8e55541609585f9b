"""A window whose days are counted by tasks of Ray: its figures are those of one process."""

from datetime import timedelta
from pathlib import Path

import pytest

from contract.store.tables import Tables
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.support.answers import MOMENT, answer, spooled
from tests.support.cluster import run

pytest.importorskip("ray", reason="Ray is installed apart: make scale")
SCRIPT = """
from datetime import timedelta
from pathlib import Path

from contract.store.tables import Tables
from monitoring.measures.compare import frozen_columns
from monitoring.measures.count import count_window
from monitoring.windows.rows import WindowReader
from monitoring.windows.window import WindowRequest, resolve
from pipelines.scoring.engines.registry import ENGINES
from tests.conftest import made_use_case
from tests.support import monitored
from tests.support.answers import MOMENT

use_case, tables = made_use_case(Path({home!r})), Tables({home!r} + "/data", "made")
window = resolve(WindowRequest(last=20), tables, use_case, MOMENT + timedelta(days=30))
reader = WindowReader(tables, use_case, window, "7")
frozen = frozen_columns(monitored.reference(), use_case)
with ENGINES["ray"]() as crew:
    apart = count_window(reader, monitored.FEATURES, frozen, 0, crew.each)
assert len(reader.days()) == 7 and apart.rows == 20
assert repr(apart) == repr(count_window(reader, monitored.FEATURES, frozen, 0))
"""


def test_tasks_count_a_day_each_to_the_same_bits(home: Path) -> None:
    use_case, tables = made_use_case(home), Tables(str(home / "data"), "made")
    days = [MOMENT + timedelta(days=n) for n in range(9)]
    answers = [answer(use_case, f"r{n}", 3, event_time=[day] * 3) for n, day in enumerate(days)]
    spooled(home / "s", use_case, answers)
    Shipper(home / "s", tables).drain()
    done = run(SCRIPT.format(home=str(home)))
    assert done.returncode == 0, done.stderr
