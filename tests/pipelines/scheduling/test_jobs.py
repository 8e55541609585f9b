"""What the monitor job has to do, from what the tables hold."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.settings import read_settings
from contract.store.tables import Tables
from pipelines.scheduling.jobs import JobContext, work
from tests.support import monitored as made
from tests.support.answers import uncounted
from tests.support.scheduled import WATCHED, declare

NOW = datetime(2024, 2, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("rows", [0, 100])
def test_tries_and_impossible_times_move_no_window(home: Path, rows: int) -> None:
    use_case, settings = declare(home, **WATCHED), read_settings()
    tables = Tables(settings.table_root, use_case.name)
    if rows:
        made.answer(tables, use_case, made.rows(rows, 1, "2024-02-02"))
    uncounted(home / "s", tables, use_case, NOW, tried=datetime(2024, 2, 1, tzinfo=UTC))
    found = work("monitor", JobContext("made.yaml", use_case, settings), {}, NOW)
    days = ["2024-02-02 to 2024-02-03", "2024-02-03 to 2024-02-04"] if rows else []
    assert [task.key for task in found.tasks] == days
    marks = [f"{rows} rows, 0 labels, 0 revisions", "0 rows, 0 labels, 0 revisions"]
    assert list(found.marks.values()) == marks[: len(days)]
