"""What jobs have to do, from what the use case says and the tables hold."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.settings import read_settings
from contract.store.tables import Tables
from pipelines.scheduling.jobs import JobContext, label_pattern, work
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


def test_the_pipeline_job_is_the_pipeline(home: Path) -> None:
    use_case = declare(home, pipeline="0 * * * *")
    (task,) = work("pipeline", JobContext("made.yaml", use_case, read_settings()), {}, NOW).tasks
    assert task.command[1:] == (
        *("-m", "pipelines.main", "--use-case", "made.yaml", "--json", "yes"),
    )


def test_the_monitor_job_looks_for_deliveries_where_some_are_expected(home: Path) -> None:
    use_case = declare(home, monitor="0 * * * *")
    context = JobContext("made.yaml", use_case, read_settings())
    assert work("monitor", context, {}, NOW).tasks == ()
    source = use_case.source.model_copy(update={"expect_every": "1 day"})
    expecting = replace(context, use_case=use_case.model_copy(update={"source": source}))
    (task,) = work("monitor", expecting, {}, NOW).tasks
    assert task.key == ""
    assert " ".join(task.command[1:]).startswith("-m monitoring --use-case made.yaml --only deliv")


def test_labels_beside_tables_of_an_object_store_need_a_place_of_their_own(home: Path) -> None:
    use_case, settings = declare(home, **WATCHED), read_settings("s3://bucket/data")
    context = JobContext("made.yaml", use_case, settings)
    with pytest.raises(BadInput, match=r"schedule\.labels: an absolute path .*'inbox/\*\.csv'"):
        label_pattern(context)
    inbox = use_case.schedule.model_copy(update={"labels": "/srv/inbox/*.csv"})
    absolute = use_case.model_copy(update={"schedule": inbox})
    assert label_pattern(replace(context, use_case=absolute)) == "/srv/inbox/*.csv"
