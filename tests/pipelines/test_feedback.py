"""Import of labels: the same again changes nothing, what is wrong is set apart with a reason."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from contract.errors import BadInput
from contract.settings import read_settings
from contract.store.labels import label_tables, labels_sql
from contract.store.tables import Tables
from contract.use_case.pseudonymisation import Pseudonymiser
from contract.use_case.sections.column import Column
from pipelines.data.label_rows import read_labels, statements
from pipelines.feedback import FeedbackImported, feedback, main
from pipelines.runtime.workspace import Workspace, open_workspace
from serving.shipping.shipper import Shipper
from tests.conftest import MADE, made_use_case, settle
from tests.support.answers import MOMENT, answer, spooled


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The made use case over a tracking store that the tests share."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("store")
        settle(folder, patch)
        with open_workspace(made_use_case(folder), cycle="monitoring") as opened:
            yield opened


@pytest.fixture
def workspace(store: Workspace, home: Path) -> Workspace:
    """Tables of the test's own, with answers r-0, r-1, r-2 to the rows 0, 1, 2 an hour apart."""
    opened = replace(store, tables=Tables(str(home / "data"), "made"))
    predict(opened, "r", 3)
    return opened


def predict(workspace: Workspace, request_id: str, n_rows: int, **changes: Any) -> None:
    folder = Path(workspace.tables.root) / "spool"
    spooled(folder, workspace.use_case, [answer(workspace.use_case, request_id, n_rows, **changes)])
    Shipper(folder, workspace.tables).drain()


def given(path: Path, **columns: Sequence[Any]) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def fed(workspace: Workspace, **columns: Sequence[Any]) -> FeedbackImported:
    return feedback(workspace, str(given(Path("labels.csv").resolve(), **columns))).result


def counts(found: FeedbackImported) -> tuple[int, int, int, int]:
    return found.rows_new, found.rows_corrected, found.rows_repeated, found.rows_quarantined


def labels(workspace: Workspace) -> dict[str, tuple[int, bool]]:
    """Revision and label that count, by prediction."""
    sql = labels_sql(workspace.use_case.keys)
    rows = workspace.tables.query(sql, **label_tables(workspace.tables)).to_pylist()
    return {row["prediction_id"]: (row["revision"], row["label"]) for row in rows}


def test_a_file_in_which_no_row_fits_is_set_apart(workspace: Workspace) -> None:
    assert counts(fed(workspace, id=[0, 1], late=["perhaps", "perhaps"])) == (0, 0, 0, 2)


def test_a_text_may_hold_what_ends_a_line(workspace: Workspace) -> None:
    names = [f"a{end}b" for end in "\u2028\u2029\x85\n"]
    said: dict[str, Any] = {"prediction_id": names, "label": [True] * 4}
    for _ in range(2):  # none of them is an id
        assert counts(fed(workspace, **said)) == (0, 0, 0, 4)
    kept = workspace.tables.read("feedback_quarantine", order_by=["row"])
    assert kept.column("prediction_id").to_pylist() == names


def test_the_same_file_again_changes_nothing(workspace: Workspace) -> None:
    said: dict[str, Any] = {"id": [0, 1], "late": [True, False]}
    assert counts(fed(workspace, **said)) == (2, 0, 0, 0)
    before = workspace.tables.version("feedback")
    assert counts(fed(workspace, **said)) == (0, 0, 2, 0)
    assert workspace.tables.version("feedback") == before
    assert labels(workspace) == {"r-0": (1, True), "r-1": (1, False)}


def test_an_old_file_does_not_undo_a_correction(workspace: Workspace) -> None:
    fed(workspace, id=[0], label=[True])
    assert counts(fed(workspace, id=[0], label=[False])) == (0, 1, 0, 0)
    assert counts(fed(workspace, id=[0], label=[True])) == (0, 0, 1, 0)
    assert labels(workspace) == {"r-0": (2, False)}


def test_times_order_labels_whatever_order_they_come_in(workspace: Workspace) -> None:
    fed(workspace, id=[0], label=[False], label_time=["2024-03-05T00:00:00Z"])
    early: dict[str, Any] = {"id": [0], "label": [True], "label_time": ["2024-03-02T00:00:00Z"]}
    assert counts(fed(workspace, **early)) == (0, 1, 0, 0)
    assert labels(workspace) == {"r-0": (2, False)}
    later: dict[str, Any] = {"id": [0], "label": [False], "label_time": ["2024-03-06T00:00:00Z"]}
    assert counts(fed(workspace, **later)) == (0, 0, 1, 0)
    assert labels(workspace) == {"r-0": (2, False)}


def test_keys_and_event_time_or_an_id_find_the_prediction(workspace: Workspace) -> None:
    hours = [MOMENT + timedelta(hours=n) for n in (0, 7)]
    assert fed(workspace, id=[0, 1], moment=hours, late=[True, True]).pending == 1
    fed(workspace, prediction_id=["r-2"], id=[0], late=[False])  # a malformed id, see below
    assert labels(workspace) == {"r-0": (1, True)}
    name = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11"
    predict(workspace, name, 1)
    assert fed(workspace, prediction_id=[f"{name}-0"], id=[5], late=[False]).rows_new == 1
    assert labels(workspace)[f"{name}-0"] == (2, False)  # its row had a label, by its keys


def test_a_label_waits_and_is_overdue_after_the_deadline(workspace: Workspace) -> None:
    found = fed(workspace, id=[0, 77], label=[True, True])
    assert (found.pending, found.overdue) == (1, 0)
    rows = workspace.tables.read("feedback").to_pylist()
    patient = workspace.settings.model_copy(update={"feedback_deadline_h": 1e-9})
    late = feedback(replace(workspace, settings=patient), "labels.csv").result
    assert (late.pending, late.overdue) == (1, 1)
    predict(workspace, "s", 1, keys={"id": [77]})
    assert labels(workspace)["s-0"] == (1, True)
    assert fed(workspace, id=[0], label=[True]).pending == 0
    assert workspace.tables.read("feedback").to_pylist() == rows


def test_rows_of_a_wrong_type_are_set_apart_with_the_reason(workspace: Workspace) -> None:
    columns: dict[str, Any] = {
        "id": [0, "x", 2, "", 1],
        "label": ["true", "false", "maybe", "true", "false"],
        "label_time": ["2024-03-02", "2024-03-02", "2024-03-02", "2024-03-02", "2124-03-02"],
    }
    assert counts(fed(workspace, **columns)) == (1, 0, 0, 4)
    rows = workspace.tables.read("feedback_quarantine", order_by=["row"]).to_pylist()
    assert [(row["row"], row["reason"]) for row in rows] == [
        (1, "column 'id': integer expected, found text."),
        (2, "column 'label': boolean expected, found text."),
        (3, "prediction_id or id is needed, and not both."),
        (4, "column 'label_time': a time that has passed expected, found a later one."),
    ]
    assert (rows[0]["id"], rows[1]["label"]) == ("x", "maybe")
    assert counts(fed(workspace, **columns)) == (0, 0, 1, 4)
    assert workspace.tables.read("feedback_quarantine").num_rows == 4


def test_every_kind_of_source_is_read(workspace: Workspace, home: Path) -> None:
    frame = pd.DataFrame({"id": [0], "late": [True], "other": ["ignored"]})
    frame.to_parquet(home / "labels.parquet")
    write_deltalake(home / "labels", frame)
    with sqlite3.connect(home / "labels.db") as database:
        frame.to_sql("labels", database)
    database.close()
    assert feedback(workspace, "labels.parquet").result.rows_new == 1
    assert feedback(workspace, str(home / "labels")).result.rows_repeated == 1
    # sqlite has no booleans: 0 and 1 are they, where that is declared
    address, query = f"sqlite:///{home}/labels.db", "SELECT id, late = 1 AS late FROM labels"
    assert feedback(workspace, address, query).result.rows_repeated == 1


def test_decimals_are_numbers(home: Path) -> None:
    columns = made_use_case(home).columns | {"late": Column(type="number")}
    use_case = made_use_case(home, {"task": "regression", "columns": columns})
    exact = 2**53 + 1  # float64 does not hold it
    ids = pa.array([Decimal(exact), Decimal("1.5"), None], pa.decimal128(20, 1))
    rows = pa.table({"id": ids, "label": pa.array([Decimal("3.5")] * 3)})
    found = statements(rows, use_case, Pseudonymiser.of(use_case, ""), MOMENT)
    assert found.rows.select(["id", "label"]).to_pylist() == [{"id": exact, "label": 3.5}]
    assert [refusal.row for refusal in found.refused] == [1, 2]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"id": [1]}, "a column label"),
        ({"label": [True]}, "prediction_id or id"),
        ({"late": [True], "name": ["x"]}, "found late, name|found name, late"),
    ],
)
def test_a_table_that_says_no_label_is_refused(
    workspace: Workspace, columns: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        fed(workspace, **columns)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,label,Label\n1,true,false\n", "'label' and 'Label' are one name"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is no text in utf-8: it holds NUL bytes"),
        ("id,label\n1,true\n".encode("utf-16"), "csv: {encoding: utf-16}"),
        (b"id,l\xe9bel\n1,x\n", "is not written in utf-8"),
        (b"", "is empty; a line of names is needed"),
        (b"id;label\n1;true\n", "declare csv: {delimiter: "),
        (b'id,label\n1,"true\n', "the quoted field in line 2 has no end"),
    ],
)
def test_a_file_that_holds_no_labels_is_one_sentence(home: Path, content: bytes, said: str) -> None:
    (home / "labels.csv").write_bytes(content)
    with pytest.raises(BadInput, match=said) as refused:
        read_labels(str(home / "labels.csv"), "", made_use_case(home))
    assert "\n" not in str(refused.value)
    str(refused.value).encode()  # no half of a sign, which no terminal prints


@pytest.mark.parametrize(
    ("name", "said"),
    [("x.png", "is a file; a Delta table is a folder"), ("x.parquet", "not a par")],
)
def test_a_picture_by_any_name_is_one_sentence(home: Path, name: str, said: str) -> None:
    (home / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(BadInput, match=said):
        read_labels(str(home / name), "", made_use_case(home))


def test_lines_that_can_not_be_read_are_set_apart_and_the_rest_goes_on(
    workspace: Workspace,
) -> None:
    """Two files one after another, a line of Latin-1, others that are too short and too long."""
    lines = [
        b"id,label,note,label",
        b"0,true,\xe9 in what nobody reads,true",
        b"1,true",
        b"",
        b'1,false,"a field of',
        b'two lines",false',
        b"id,label,note,label",
        b"2,true,,false",
        b"2,tru\xe9,,tru\xe9",
        b"2,maybe,,maybe",
        b"2,true,,true,,",
        b"2,true,,true",
    ]
    Path("labels.csv").write_bytes(b"\n".join(lines))
    for expected in [(3, 0, 0, 6), (0, 0, 3, 6)]:
        assert counts(feedback(workspace, "labels.csv").result) == expected
    assert labels(workspace) == {"r-0": (1, True), "r-1": (1, False), "r-2": (1, True)}
    kept = workspace.tables.read("feedback_quarantine", order_by=["row"]).to_pylist()
    assert [(one["row"], one["line"], one["reason"].partition(";")[0]) for one in kept] == [
        (1, 3, "2 fields where the first line has 4 names"),
        (3, 7, "the line of names again"),
        (4, 8, "column 'label' stands twice in the file, and says two things here"),
        (5, 9, "column 'label' is not written in utf-8"),
        (6, 10, "column 'label': boolean expected, found text."),
        (7, 11, "6 fields where the first line has 4 names"),
    ]


def test_a_file_of_broken_lines_alone_is_set_apart(workspace: Workspace) -> None:
    Path("labels.csv").write_text("id,label\n1\n2,true,7\n", encoding="utf-8")
    found = feedback(workspace, "labels.csv").result
    assert (found.rows_read, *counts(found)) == (2, 0, 0, 0, 2)


def test_a_quarantine_of_an_older_release_gets_lines(workspace: Workspace) -> None:
    Path("labels.csv").write_text("id,label\nx,true\n", encoding="utf-8")
    feedback(workspace, "labels.csv")
    rows = workspace.tables.read("feedback_quarantine").drop_columns(["line"])
    workspace.tables.overwrite("feedback_quarantine", rows)
    feedback(workspace, "labels.csv")
    assert workspace.tables.read("feedback_quarantine").num_rows == 1
    Path("labels.csv").write_text("id,label\n\ny,true\n", encoding="utf-8")
    feedback(workspace, "labels.csv")
    kept = workspace.tables.read("feedback_quarantine", order_by=["id"])
    assert kept.select(["id", "line"]).to_pylist() == [
        {"id": "x", "line": None},
        {"id": "y", "line": 3},
    ]


def test_a_personal_key_is_hashed_on_both_sides(
    store: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = made_use_case(home).columns
    hidden = columns | {"id": Column(type="integer", personal=True)}
    use_case, tables = made_use_case(home, {"columns": hidden}), Tables(str(home / "data"), "made")
    workspace = replace(store, use_case=use_case, tables=tables)
    with pytest.raises(BadInput, match="FOURCYCLE_LOG_SECRET"):
        fed(workspace, id=[7], label=[True])
    monkeypatch.setenv("FOURCYCLE_LOG_SECRET", "a long random text")
    fed(replace(workspace, settings=read_settings()), id=[7, "x"], label=[True, True])
    (row,) = tables.read("feedback").to_pylist()
    (set_apart,) = tables.read("feedback_quarantine").to_pylist()
    assert len(row["id"]) == len(set_apart["id"]) == 32


def test_a_key_that_the_log_leaves_out_names_no_row(workspace: Workspace, home: Path) -> None:
    dropped = {"id": Column(type="integer", personal=True, log="drop")}
    columns = workspace.use_case.columns | dropped
    use_case = made_use_case(home, {"columns": columns, "keys": ("id", "colour")})
    hiding = replace(workspace, use_case=use_case)
    with pytest.raises(BadInput, match="and prediction_id are needed"):
        fed(hiding, id=[0], colour=["red"], late=[True])
    name = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"
    found = fed(hiding, prediction_id=[name, None], id=[0, 0], late=[True, True])
    assert (counts(found), found.pending) == ((1, 0, 0, 1), 1)
    (set_apart,) = workspace.tables.read("feedback_quarantine").to_pylist()
    assert set_apart["reason"] == "prediction_id is needed: the log leaves out a key."


def test_the_command_says_what_it_did_and_logs_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "made.yaml").write_text(MADE, encoding="utf-8")
    given(home / "labels.csv", id=[1], late=[True])
    main("made.yaml", source="labels.csv", as_json="yes")
    said = json.loads(capsys.readouterr().out)
    assert (said["rows_new"], said["pending"]) == (1, 1)
    runs = mlflow.search_runs(experiment_names=["made/monitoring"], output_format="list")
    assert [run.data.metrics["rows_new"] for run in runs] == [1]
    with pytest.raises(BadInput, match="source"):
        main("made.yaml")
