"""Maintain: fewer files, the same rows, and every pinned version whole."""

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from contract.errors import BadInput
from contract.store import upkeep
from contract.store.feedback import feedback_schema
from contract.store.tables import Tables
from contract.use_case.sections.serving import Privacy
from pipelines.data.retention import expire
from pipelines.maintain import Maintained, main, maintain, pinned_versions
from pipelines.runtime.workspace import Workspace
from serving.shipping.shipper import Shipper
from tests.contract.store.test_tables import age_log, rows
from tests.support.answers import answer, spooled

NOW, LATER = timedelta(0), timedelta(days=1)


def ship(workspace: Workspace, folder: Path, name: str, n_rows: int = 1) -> None:
    spooled(folder, workspace.use_case, [answer(workspace.use_case, name, n_rows)])
    Shipper(folder, workspace.tables).drain()


def files(tables: Tables, name: str) -> int:
    return len(list(Path(tables.root, tables.use_case, name).rglob("*.parquet")))


def register(workspace: Workspace, **tags: str) -> None:
    name = workspace.model_name
    if not workspace.client.search_registered_models(f"name = '{name}'"):
        workspace.client.create_registered_model(name)
    workspace.client.create_model_version(name, "file:///nowhere", tags=tags)


def test_small_files_become_one_and_no_row_is_lost(workspace: Workspace, home: Path) -> None:
    for number in range(5):
        ship(workspace, home / "s", f"r{number}")
    (done,) = maintain(workspace, NOW)
    assert (done.table, done.small_files, done.large_files) == ("predictions", 5, 1)
    assert done.files_deleted == 5
    found = workspace.tables.read("predictions", columns=["request_id"], order_by=["request_id"])
    assert found.column("request_id").to_pylist() == [f"r{number}" for number in range(5)]
    (again,) = maintain(workspace, NOW)
    assert (again.small_files, again.files_deleted) == (0, 0)


def test_shipping_goes_on_exactly_once_after_it(workspace: Workspace, home: Path) -> None:
    tables = workspace.tables
    spooled(home / "s", workspace.use_case, [answer(workspace.use_case, "a")])
    shutil.copytree(home / "s", home / "again")  # as a shipper leaves it that dies after its commit
    Shipper(home / "s", tables).drain()
    ship(workspace, home / "s", "b")
    maintain(workspace, NOW)
    age_log(tables, "predictions", days=60)
    maintain(workspace, NOW)
    assert "WRITE" not in [entry["operation"] for entry in tables.history("predictions")]
    Shipper(home / "again", tables).drain()
    assert tables.read("predictions").num_rows == 2
    ship(workspace, home / "s", "c")
    assert tables.read("predictions").num_rows == 3


def test_files_younger_than_the_retention_stay(workspace: Workspace, home: Path) -> None:
    for number in range(3):
        ship(workspace, home / "s", f"r{number}")
    before = workspace.tables.version("predictions")
    (done,) = maintain(workspace, LATER)
    assert done.files_deleted == 0
    assert workspace.tables.read("predictions", before).num_rows == 3


def test_a_version_that_a_registered_version_names_is_kept(workspace: Workspace) -> None:
    tables = workspace.tables
    for number in range(5):
        tables.publish("training", rows(number), f"hash-{number}")
    register(workspace, training_version="2", raw_version="9", training_hash="x")
    register(workspace, training_version="4")
    assert pinned_versions(workspace) == {"training": {2, 4}, "raw": {9}}
    (done,) = maintain(workspace, NOW)
    assert (done.files_deleted, done.versions_kept) == (2, (2, 4))
    assert tables.read("training", 2).equals(rows(1))
    assert tables.read("training", 4).equals(rows(3))
    assert tables.read("training").equals(rows(4))


def test_a_table_of_an_older_release_keeps_its_log_from_then_on(workspace: Workspace) -> None:
    tables = workspace.tables
    DeltaTable.create(tables.uri("raw"), schema=rows(0).schema)
    written = tables.append("raw", rows(1))
    maintain(workspace, NOW)
    assert tables.open("raw").metadata().configuration == upkeep.properties("raw")
    assert tables.version("raw") == written
    newest = tables.open("raw").version()
    maintain(workspace, NOW)
    assert tables.open("raw").version() == newest


def test_a_pinned_version_that_is_lost_is_said_and_stops_nothing(workspace: Workspace) -> None:
    tables = workspace.tables
    cut = {"delta.checkpointInterval": "5"}
    DeltaTable.create(tables.uri("training"), schema=rows(0).schema, configuration=cut)
    for number in range(8):
        tables.publish("training", rows(number), f"hash-{number}")
    age_log(tables, "training", days=60)
    for number in range(8, 12):
        tables.publish("training", rows(number), f"hash-{number}")
    register(workspace, training_version="2")
    register(workspace, training_version="11")
    (done,) = maintain(workspace, NOW)
    assert (done.versions_kept, done.versions_lost) == ((11,), (2,))
    assert "not in the table any more: 2" in done.line()
    assert tables.read("training", 11).equals(rows(10))
    with pytest.raises(BadInput, match="'training' of 'made' has no version 2; newest: "):
        tables.read("training", 2)


def test_upkeep_makes_no_new_data_version(workspace: Workspace) -> None:
    tables = workspace.tables
    tables.publish("training", rows(1), "hash-1")
    known = tables.publish("training", rows(2), "hash-2")
    maintain(workspace, NOW)
    assert files(tables, "training") == 1
    assert tables.publish("training", rows(2), "hash-2") == known


def test_it_runs_beside_a_writer(workspace: Workspace, home: Path) -> None:
    """A shipper commits all the while; every row of it is there afterwards."""
    ship(workspace, home / "s", "first")
    stop = threading.Event()
    shipped = ["first"]

    def write() -> None:
        while not stop.is_set() and len(shipped) < 30:
            shipped.append(f"r{len(shipped)}")
            ship(workspace, home / "s", shipped[-1])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(2):
            maintain(workspace, NOW)
    finally:
        stop.set()
        writer.join()
    found = workspace.tables.read("predictions", columns=["request_id"])
    assert sorted(found.column("request_id").to_pylist()) == sorted(shipped)


@pytest.mark.parametrize("wrong", ["0", "-1", "seven", ""])
def test_a_wrong_retention_is_said(wrong: str) -> None:
    with pytest.raises(BadInput, match="whole days from 1"):
        main(unused_days=wrong)


def test_there_may_be_no_tables(workspace: Workspace) -> None:
    assert maintain(workspace, NOW) == []


def test_rows_older_than_the_declared_retention_go(workspace: Workspace, home: Path) -> None:
    use_case, tables = workspace.use_case, workspace.tables
    now = datetime.now(UTC)
    days = {"old": 31, "new": 29}
    for name, age in days.items():
        logged = now - timedelta(days=age)
        spooled(home / "s", use_case, [answer(use_case, name, logged_time=logged)])
    Shipper(home / "s", tables).drain()
    name = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"  # of 2025, long before
    later = {"label": True, "label_time": now, "received_time": now}
    said = [{"prediction_id": name} | later, {"id": 1} | later]
    old = {"id": 2, "label": True, "received_time": now - timedelta(days=31)}
    schema = feedback_schema({"id": "integer"}, "boolean")
    tables.append("feedback", pa.Table.from_pylist([*said, old], schema=schema))
    assert all(done.rows_expired == 0 for done in maintain(workspace, LATER))  # kept for ever
    kept = use_case.model_copy(update={"privacy": Privacy(retention_days=30)})
    done = maintain(replace(workspace, use_case=kept), NOW)
    assert {d.table: d.rows_expired for d in done} == {"predictions": 1, "feedback": 2}
    assert tables.read("predictions").column("request_id").to_pylist() == ["new"]
    assert tables.read("feedback").column("id").to_pylist() == [1]
    left = list(Path(tables.uri("predictions")).rglob("*.parquet"))
    assert len([path for path in left if "_delta_log" not in path.parts]) == 1


def test_a_label_by_keys_goes_with_the_last_of_its_predictions(
    workspace: Workspace, home: Path
) -> None:
    tables, now = workspace.tables, datetime.now(UTC)
    kept = workspace.use_case.model_copy(update={"privacy": Privacy(retention_days=30)})
    asked = [(5, 31, now), (6, 31, now), (6, 29, now), (7, 31, now - timedelta(days=32))]
    for place, (key, age, event) in enumerate(asked):
        logged, keys = now - timedelta(days=age), {"id": [key]}
        made = answer(kept, f"r{place}", keys=keys, event_time=[event], logged_time=logged)
        spooled(home / "s", kept, [made])
    Shipper(home / "s", tables).drain()
    late = {"label": True, "label_time": now, "received_time": now - timedelta(days=20)}
    said = [late | {"id": key} for key in (5, 6, 7, 8)]
    said += [late | {"id": 7, "event_time": time} for time in (asked[3][2], now)]
    schema = feedback_schema({"id": "integer"}, "boolean")
    tables.append("feedback", pa.Table.from_pylist(said, schema=schema))
    assert expire(tables, kept, now) == {"predictions": 3, "feedback": 3}
    left = tables.read("feedback", order_by=["id"]).to_pylist()
    assert [(row["id"], row["event_time"]) for row in left] == [(6, None), (7, now), (8, None)]
    done = maintain(replace(workspace, use_case=kept), LATER)
    assert all(one.rows_expired == 0 for one in done)
    # 8 and 7 at another time: nobody ever asked about them
    assert {one.table: one.labels_overdue for one in done} == {"predictions": 0, "feedback": 2}
    assert "WARNING: labels overdue: 2" in done[-1].line()


def test_a_version_whose_files_were_deleted_is_not_intact(workspace: Workspace) -> None:
    tables = workspace.tables
    first = tables.publish("training", rows(1), "hash-1")
    second = tables.publish("training", rows(2), "hash-2")
    assert tables.intact(first)
    maintain(workspace, NOW)
    assert (tables.intact(first), tables.intact(second)) == (False, True)


def test_people_read_all_that_was_done_to_a_table() -> None:
    done = Maintained("predictions", 7, 5, 1, 4, (2, 3), (9,), labels_overdue=6)
    assert done.line() == (
        "5 small files became 1; 7 rows expired; 4 unused files deleted; kept for registered "
        "versions: 2, 3; WARNING: named by registered versions, but not in the table any more: 9; "
        "WARNING: labels overdue: 6; no known prediction has their id or keys"
    )
