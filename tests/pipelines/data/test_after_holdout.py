from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest

from contract.errors import Refused
from contract.store.schema import TYPES
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from pipelines.data.after_holdout import Days, drawn, unanswered, within
from pipelines.runtime.workspace import Workspace
from tests.support import monitored as made

KEYS = pa.schema([("id", TYPES["integer"]), ("moment", TYPES["timestamp"])])


def asked(n_rows: int = 2000) -> pa.Table:
    """Rows of two days, one each minute."""
    return pa.Table.from_pandas(made.rows(n_rows, 1), KEYS, preserve_index=False)


def test_a_window_ends_with_the_local_day(workspace: Workspace) -> None:
    days = Days(date(2024, 2, 1), date(2024, 2, 2))
    assert within(asked(), days, workspace.use_case).num_rows == 24 * 60
    east = workspace.use_case.model_copy(update={"time_zone": "Asia/Tokyo"})
    assert within(asked(), days, east).num_rows == 15 * 60


def test_a_sample_is_the_same_again_and_in_order() -> None:
    rows = asked()
    sample = drawn(rows, 50)
    ids = sample.column("id").to_pylist()
    assert (len(set(ids)), ids) == (50, sorted(ids))
    assert drawn(rows, 50) == sample
    assert drawn(rows, 5000) == rows


def test_what_is_answered_is_known_by_key_and_time(workspace: Workspace) -> None:
    rows, tables, use_case = asked(10), workspace.tables, workspace.use_case
    assert unanswered(workspace, rows) == rows
    made.answer(tables, use_case, made.rows(10, 1).iloc[[1, 2, 7]], version="1")
    made.answer(tables, use_case, made.rows(10, 1, "2023-01-01").iloc[[4]], version="1")
    left = [0, 3, 4, 5, 6, 8, 9]
    assert unanswered(workspace, rows) == rows.take(left)
    assert unanswered(workspace, rows, "1") == rows.take(left)
    assert unanswered(workspace, rows, "2") == rows


def hashed(use_case: UseCase) -> UseCase:
    columns = use_case.columns | {"id": Column(type="integer", personal=True)}
    return use_case.model_copy(update={"columns": columns})


def test_hashed_keys_tell_nothing(workspace: Workspace) -> None:
    hidden = replace(workspace, use_case=hashed(workspace.use_case))
    with pytest.raises(Refused, match="does not hold id as sent"):
        unanswered(hidden, asked(1))
