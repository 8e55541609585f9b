"""A bit that flips in the files of `raw` or `quarantine` is found, or gives the same valid rows."""

import random
from pathlib import Path

import pytest

from contract.errors import BadInput, Refused
from contract.names import TableName
from pipelines.data.raw_table import valid_as_written
from pipelines.data.rehearsal import Rehearsal
from pipelines.ingest import ingest
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.validate import validate
from tests.conftest import deliver, made_rows, made_use_case
from tests.support.rounds import rounds


@pytest.mark.parametrize("table", ["raw", "quarantine"])
def test_a_flipped_bit_is_found_or_gives_the_same_rows(home: Path, table: TableName) -> None:
    rows = made_rows()
    rows.loc[:3, "size"] = 99.0  # to quarantine
    deliver(home, rows)
    with open_workspace(made_use_case(home)) as workspace:
        found = flips(workspace, table, rounds(40, 400))
    assert found > 5


def flips(workspace: Workspace, table: TableName, n_flips: int) -> int:
    """How many of the flips were found."""
    checked = validate(workspace, ingest(workspace, Rehearsal()).result).result
    tables, use_case, draw, found = workspace.tables, workspace.use_case, random.Random(1), 0
    right = valid_as_written(tables, use_case, checked.raw, checked.quarantine)
    (path,) = tables.open(table).file_uris()
    good = Path(path).read_bytes()
    for _ in range(n_flips):
        at = draw.randrange(len(good) * 8)
        spoiled = bytearray(good)
        spoiled[at // 8] ^= 1 << at % 8
        Path(path).write_bytes(spoiled)
        try:
            read = valid_as_written(tables, use_case, checked.raw, checked.quarantine)
            assert read.equals(right), f"bit {at}"
        except Refused as error:
            assert "are not the ones that were written" in str(error)
            found += 1
    return found


def test_rows_of_other_columns_need_an_ingest(home: Path) -> None:
    deliver(home, made_rows())
    made = made_use_case(home)
    fewer = made_use_case(
        home, {"columns": {n: c for n, c in made.columns.items() if n != "group"}}
    )
    with open_workspace(made) as workspace:
        checked = validate(workspace, ingest(workspace, Rehearsal()).result).result
        with pytest.raises(BadInput, match="raw version 1 has other columns than 'made' declares"):
            valid_as_written(workspace.tables, fewer, checked.raw, checked.quarantine)
