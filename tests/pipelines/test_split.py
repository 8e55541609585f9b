from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from contract.errors import BadInput, Refused
from contract.names import REASONS, TableName
from contract.store.frames import feature_frame
from contract.use_case.sections.split import GroupSplit, RandomSplit, Split, TimeSplit
from pipelines.data.days import with_windows
from pipelines.data.rehearsal import Rehearsal
from pipelines.ingest import ingest
from pipelines.runtime.workspace import Workspace
from pipelines.split import divide, split
from pipelines.validate import validate
from tests.conftest import made_rows, made_use_case

SPLITS: list[Split] = [
    TimeSplit(by="time", holdout_share=0.25),
    GroupSplit(by="group", column="group", holdout_share=0.25),
    RandomSplit(by="random", holdout_share=0.25, seed=3),
]


@pytest.mark.parametrize("how", SPLITS, ids=lambda how: how.by)
def test_no_row_is_on_both_sides(home: Path, how: Split) -> None:
    rows = pa.Table.from_pandas(made_rows())
    use_case = made_use_case(home, {"split": how})
    training, holdout = divide(rows, use_case)
    assert not (training & holdout).any()
    assert 0.1 < holdout.mean() < 0.45
    again = divide(rows, use_case)
    assert (again[0] == training).all()


def test_by_time_the_holdout_is_the_newest(home: Path) -> None:
    rows = pa.Table.from_pandas(made_rows())
    training, holdout = divide(rows, made_use_case(home))
    times = rows.column("moment").to_pandas()
    assert times[training].max() < times[holdout].min()


def test_by_group_no_group_is_on_both_sides_nor_a_feature(home: Path) -> None:
    rows = pa.Table.from_pandas(made_rows())
    use_case = made_use_case(home, {"split": SPLITS[1]})
    training, holdout = divide(rows, use_case)
    groups = np.array(rows.column("group").to_pylist())
    assert not set(groups[training]) & set(groups[holdout])
    assert "group" not in use_case.features


@pytest.mark.parametrize("how", SPLITS[1:], ids=lambda how: how.by)
def test_a_row_stays_on_its_side_when_others_arrive(home: Path, how: Split) -> None:
    use_case = made_use_case(home, {"split": how})
    early = divide(pa.Table.from_pandas(made_rows(150)), use_case)
    late = divide(pa.Table.from_pandas(made_rows(400)), use_case)
    assert (early[1] == late[1][:150]).all()


def test_another_seed_draws_other_rows_of_about_the_same_share(home: Path) -> None:
    rows = pa.Table.from_pandas(made_rows(500))
    drawn = [
        divide(rows, made_use_case(home, {"split": RandomSplit(by="random", seed=seed)}))[1]
        for seed in range(20)
    ]
    assert len({mask.tobytes() for mask in drawn}) == 20
    assert 0.17 < np.mean(drawn) < 0.23


def test_windows_are_days_of_the_declared_zone(home: Path) -> None:
    use_case = made_use_case(home, {"time_zone": "America/New_York"})
    use_case = with_windows(use_case, "2024-01-02", "2024-01-04", "2024-01-05")
    rows = pa.Table.from_pandas(made_rows())
    training, holdout = divide(rows, use_case)
    times = rows.column("moment").to_pandas()
    assert str(times[training].min()) == "2024-01-02 05:00:00+00:00"
    assert str(times[holdout].min()) == "2024-01-04 05:00:00+00:00"
    assert str(times[holdout].max()) == "2024-01-05 04:00:00+00:00"


@pytest.mark.parametrize(
    ("days", "said"),
    [(("x", "", ""), "train_from: a day"), (("2024-01-05", "2024-01-02", ""), "train_from <")],
)
def test_wrong_windows_are_named(home: Path, days: tuple[str, str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        with_windows(made_use_case(home), *days)


def test_one_group_and_a_window_without_rows_are_refused(workspace: Workspace) -> None:
    rows = pa.Table.from_pandas(made_rows().assign(group="a"))
    with pytest.raises(Refused, match=r"split\.column 'group' has 1 group; two are needed"):
        divide(rows, workspace.use_case.model_copy(update={"split": SPLITS[1]}))
    validated = validate(workspace, ingest(workspace, Rehearsal()).result).result
    early = with_windows(workspace.use_case, "", "2023-01-01", "")
    with pytest.raises(Refused, match="The split leaves no training rows of 200 labelled ones"):
        split(replace(workspace, use_case=early), validated)


def test_the_frozen_tables_share_no_row_and_no_leak(workspace: Workspace) -> None:
    validated = validate(workspace, ingest(workspace, Rehearsal()).result).result
    made = split(workspace, validated).result
    training = workspace.tables.read("training", made.training.version)
    holdout = workspace.tables.read("holdout", made.holdout.version)
    assert not set(training.column("id").to_pylist()) & set(holdout.column("id").to_pylist())
    assert training.num_rows + holdout.num_rows == 200
    assert list(feature_frame(training, workspace.use_case)) == ["colour", "size", "group"]


def test_only_rows_whose_keys_stand_in_the_named_tables_are_divided(workspace: Workspace) -> None:
    validated = validate(workspace, ingest(workspace, Rehearsal()).result).result
    tables = workspace.tables
    first = tables.publish("labelled", pa.table({"id": range(0, 50)}), "some")
    more = tables.publish("labelled", pa.table({"id": range(100, 150)}), "others")
    made = split(workspace, validated, among=(first, more)).result
    found = [
        set(tables.read(t.table, t.version).column("id").to_pylist())
        for t in (made.training, made.holdout)
    ]
    assert found[0] | found[1] == {*range(0, 50), *range(100, 150)}
    assert not split(workspace, validated).reused


@pytest.mark.parametrize("table", ["raw", "quarantine"])
def test_rows_that_are_not_those_that_were_written_are_not_split(
    workspace: Workspace, table: TableName
) -> None:
    validated = validate(workspace, ingest(workspace, Rehearsal()).result).result
    tables, of = workspace.tables, getattr(validated, table)
    rows = tables.read(table, of.version)
    changed = rows if rows.num_rows else tables.read("raw").slice(0, 1)
    at = rows.column_names.index("size")
    rows = changed.set_column(at, "size", pc.add(changed.column("size"), 1.0))
    if table == "quarantine":
        rows = rows.append_column(REASONS, pa.nulls(1, pa.list_(pa.string())))
    spoiled = replace(of, version=tables.overwrite(table, rows))
    with pytest.raises(Refused, match=f"The rows of {table} version {spoiled.version} are not"):
        split(workspace, validated.model_copy(update={table: spoiled}))
