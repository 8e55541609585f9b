from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pytest

from contract.errors import Refused
from contract.store.schema import conform
from contract.use_case.sections.column import Column
from contract.use_case.sections.source import Source
from pipelines.data.raw_table import valid_rows
from pipelines.data.rehearsal import Rehearsal, read_rehearsal, rehearse
from pipelines.data.validated import Validated
from pipelines.ingest import Ingested, ingest, ingest_labelled
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.validate import validate
from tests.conftest import deliver, made_rows, made_use_case

pytestmark = pytest.mark.usefixtures("stored")

ALL = Rehearsal()


def take_in(workspace: Workspace) -> tuple[Ingested, Validated]:
    ingested = ingest(workspace, ALL).result
    return ingested, validate(workspace, ingested).result


def test_the_same_content_makes_no_new_version(workspace: Workspace, home: Path) -> None:
    first = ingest(workspace, ALL).result
    deliver(home, made_rows().sample(frac=1, random_state=1))
    again = ingest(workspace, ALL).result
    assert (first.rows_new, again.rows_new) == (200, 0)
    assert again.raw == first.raw


def test_a_new_delivery_appends_and_only_its_rows_are_checked(
    workspace: Workspace, home: Path
) -> None:
    take_in(workspace)
    deliver(home, made_rows(260))
    ingested, validated = take_in(workspace)
    assert ingested.rows_new == validated.rows_checked == 60
    assert ingested.raw.version == 2


def test_changed_columns_begin_raw_anew_and_old_versions_stay_readable(home: Path) -> None:
    rows = made_rows()
    rows.loc[[5], "size"] = 99.0  # out of range: one row in quarantine
    deliver(home, rows.assign(weight=1.5))
    declared = made_use_case(home)
    wider = declared.columns | {"weight": Column(type="number", description="added later")}
    with open_workspace(declared) as workspace:
        first, _ = take_in(workspace)
    with open_workspace(declared.model_copy(update={"columns": wider})) as workspace:
        second, checked = take_in(workspace)
        assert workspace.tables.read("raw").column("weight").to_pylist() == [1.5] * 200
        assert workspace.tables.read("raw", first.raw.version).num_rows == 200
    assert (second.rows_new, second.rows_late_duplicate) == (200, 0)
    assert (checked.rows_checked, checked.quarantine.rows) == (200, 1)
    with open_workspace(declared) as workspace:  # and back again
        third, again = take_in(workspace)
    assert third.raw.content_hash == first.raw.content_hash
    assert again.quarantine.rows == 1


@pytest.mark.parametrize(
    ("policy", "quarantined", "stands"), [("quarantine", 2, 1.0), ("replace", 0, 5.0)]
)
def test_late_duplicates_are_handled_as_declared(
    home: Path, policy: str, quarantined: int, stands: float
) -> None:
    rows = made_rows()
    rows.loc[[3, 4], "size"] = 1.0
    source = Source.model_validate({"csv": str(home / "rows.csv"), "late_duplicates": policy})
    deliver(home, rows)
    with open_workspace(made_use_case(home, {"source": source})) as workspace:
        take_in(workspace)
        late = rows.loc[[3, 4]].assign(size=5.0)
        fresh = made_rows(300).iloc[200:]
        deliver(home, pd.concat([late, fresh]))
        ingested, validated = take_in(workspace)
        valid = valid_rows(
            workspace.tables,
            workspace.use_case,
            validated.raw.version,
            validated.quarantine.version,
        ).to_pandas()
    assert ingested.rows_late_duplicate == 2
    assert validated.rows_quarantined == quarantined
    assert valid.set_index("id").loc[[3, 4], "size"].tolist() == [stands, stands]
    assert len(valid) == 300


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: rows.iloc[:0], "number of rows must be at least 1, found 0"),
        (lambda rows: rows.drop(columns="colour"), "ingested: the column colour is missing."),
        (
            lambda rows: rows.assign(size="big"),
            "size: line 2: number expected, found text",
        ),
        (lambda rows: rows.assign(late=7), "late: line 2: boolean expected, found text"),
    ],
)
def test_a_delivery_out_of_shape_never_enters(
    workspace: Workspace, home: Path, spoil: object, said: str
) -> None:
    deliver(home, spoil(made_rows()))  # type: ignore[operator]
    with pytest.raises(Refused, match=said):
        ingest(workspace, ALL)
    assert not workspace.tables.exists("raw")
    runs = workspace.client.search_runs([workspace.experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]
    files = workspace.client.list_artifacts(runs[0].info.run_id, "validation")
    assert {file.path for file in files} == {"validation/delivery.html", "validation/delivery.json"}


def test_a_rehearsal_samples_and_repeats_under_its_own_name(home: Path) -> None:
    deliver(home, made_rows())
    rehearsal = Rehearsal(sample=50, rows_multiple=3)
    with open_workspace(rehearsal.of(made_use_case(home))) as workspace:
        ingested = ingest(workspace, rehearsal).result
        ids = workspace.tables.read("raw").column("id").to_pylist()
    assert workspace.model_name == "made-sample50-x3"
    assert ingested.rows_new == len(set(ids)) == 150


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([-5, 0, 5]),
        pa.array([0.5, -1.5, 2.0]),
        pa.array(["a", "b", "c"]),
        pa.array(["a", "b", "c"]).dictionary_encode(),
        pa.array([datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3)]),
    ],
    ids=lambda keys: str(keys.type),
)
def test_repeated_rows_have_keys_of_their_own(home: Path, keys: pa.Array) -> None:
    use_case = made_use_case(home, {"keys": ("key",)})
    rows = pa.table({"key": keys, "size": [1, 2, 3]})
    found = rehearse(rows, use_case, read_rehearsal("", "3"))
    assert len(found.column("key").unique()) == found.num_rows == 9
    assert found.slice(0, 3).column("key").to_pylist() == keys.to_pylist()


@pytest.mark.parametrize(
    ("late", "new", "stands"), [("quarantine", 60, False), ("replace", 61, True)]
)
def test_labelled_answers_enter_where_their_keys_are_not_known(
    home: Path, late: Literal["quarantine", "replace"], new: int, stands: bool
) -> None:
    deliver(home, made_rows())
    source = Source.model_validate({"csv": str(home / "rows.csv"), "late_duplicates": late})
    with open_workspace(made_use_case(home, {"source": source})) as workspace:
        take_in(workspace)
        rows = made_rows(260)
        turned = bool(rows.loc[0, "late"])
        rows.loc[0, "late"] = not turned  # feedback contradicts the source
        table = conform(pa.Table.from_pandas(rows, preserve_index=False), workspace.use_case).table
        labelled = workspace.tables.publish("labelled", table, "of the test")
        ingested = ingest_labelled(workspace, labelled).result
        validated = validate(workspace, ingested).result
        found = valid_rows(
            workspace.tables,
            workspace.use_case,
            validated.raw.version,
            validated.quarantine.version,
        ).to_pandas()
    assert (ingested.rows_read, ingested.rows_new, validated.rows_quarantined) == (260, new, 0)
    assert len(found) == 260
    assert (found.loc[found["id"] == 0, "late"].item() != turned) == stands


def test_of_a_row_given_twice_one_is_kept_and_one_is_counted(
    workspace: Workspace, home: Path
) -> None:
    rows = made_rows()
    deliver(home, pd.concat([rows, rows.loc[[3, 4, 4]]]))
    ingested, validated = take_in(workspace)
    assert (ingested.rows_read, ingested.rows_new, ingested.rows_repeated) == (203, 200, 3)
    assert "203 rows read, 3 of them given twice and dropped" in ingested.line()
    assert (validated.rows_checked, validated.rows_quarantined) == (200, 0)
    assert workspace.tables.read("raw").num_rows == 200


def test_the_sign_of_a_zero_brings_nothing_new(workspace: Workspace, home: Path) -> None:
    deliver(home, made_rows().assign(size=0.0))
    first, _ = take_in(workspace)
    deliver(home, made_rows().assign(size=-0.0))
    assert "-0.0" in (home / "rows.csv").read_text()
    again, _ = take_in(workspace)
    assert (again.rows_new, again.raw) == (0, first.raw)
