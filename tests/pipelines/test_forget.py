"""Forget: no file of any table holds the subject, and everything else goes on."""

import json
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contract.errors import BadInput, Refused
from contract.names import ROW_HASH, TableName
from contract.store.feedback import feedback_schema
from contract.store.predictions import predictions_schema
from contract.store.rows.fingerprint import content_hash, row_hashes
from contract.store.schema import arrow_schema
from contract.store.tables import CONTENT_HASH, Tables, TableVersion
from contract.use_case.pseudonymisation import Pseudonymiser
from contract.use_case.sections.column import Column, ColumnType
from pipelines.data.label_rows import refusal_rows, statements
from pipelines.data.rehearsal import Rehearsal
from pipelines.data.retention import matching
from pipelines.data.subject import PLAIN, Subject, as_sql, read_subject
from pipelines.forget import Forgotten, forget, main
from pipelines.gate import evidence_of
from pipelines.ingest import ingest
from pipelines.maintain import pinned_versions
from pipelines.registry.versions import Version, champion_of
from pipelines.reproduce import reproduce
from pipelines.runtime.workspace import Workspace, connected
from pipelines.training_set import training_set
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.pipelines.test_maintain import register
from tests.support.answered import REQUEST
from tests.support.answers import MOMENT, entry, spool_of, spooled
from tests.support.answers import answer as answer_of


def holders(tables: Tables, penguin: int) -> set[str]:
    """Tables of which some file on the disk, of whatever version, holds the penguin."""
    found = set()
    for path in Path(tables.root, tables.use_case).rglob("*.parquet"):
        with pq.ParquetFile(path) as file:
            named = "penguin" in file.schema_arrow.names
            keys = file.read(columns=["penguin"]).column("penguin").to_pylist() if named else []
        if penguin in keys:
            found.add(path.relative_to(Path(tables.root, tables.use_case)).parts[0])
    return found


def champion(workspace: Workspace) -> Version:
    found = champion_of(workspace)
    assert found
    return found


def trained_on(workspace: Workspace) -> list[int]:
    """Penguins of the champion's training table that were answered and labelled by key too."""
    version = int(champion(workspace).tags["training_version"])
    rows = workspace.tables.read("training", version, order_by=["penguin"])
    keys: list[int] = rows.column("penguin").to_pylist()
    labelled = workspace.tables.read("feedback").column("penguin").to_pylist()
    return [key for key in keys if key in labelled]


def forgotten(workspace: Workspace, penguin: int) -> Forgotten:
    return forget(workspace, str(penguin)).result


def test_no_file_holds_the_subject_and_every_other_row_stays(answered: Workspace) -> None:
    training_set(answered, "", "")
    subject, tables = trained_on(answered)[0], answered.tables
    names: tuple[TableName, ...] = ("raw", "training", "labelled", "predictions", "feedback")
    before = {name: tables.read(name).num_rows for name in names}
    assert holders(tables, subject) == set(names)
    done = forgotten(answered, subject)
    assert holders(tables, subject) == set()
    assert done.rows == dict.fromkeys(names, 1)
    assert {name: tables.read(name).num_rows + 1 for name in names} == before
    for name in PLAIN:  # their logs are never cut
        for commit in tables.history(name) if tables.exists(name) else []:
            operation = cast(dict[str, str], commit["operationParameters"])
            assert "penguin" not in operation.get("predicate", "")


def test_a_version_that_learned_from_it_is_marked_and_the_gate_still_works(
    answered: Workspace,
) -> None:
    version = champion(answered)
    done = forgotten(answered, trained_on(answered)[0])
    assert done.versions_marked == (version.version,)
    assert any("has learned from the rows" in text for text in done.unreachable)
    marked = champion(answered)
    assert marked.tags["reproducible"] == "no"
    assert f"training@{version.tags['training_version']}" in marked.tags["reproducible_reason"]
    with pytest.raises(Refused, match="can't be trained again: a subject's rows were taken out"):
        reproduce(answered, marked)
    pinned = int(marked.tags["training_version"])
    assert pinned_versions(answered)["training"] == {pinned}
    named = TableVersion("training", pinned, 0, marked.tags["training_hash"])
    assert answered.tables.intact(named)
    evidence = evidence_of(in_training(answered), marked, None)
    assert (evidence.trained_on, evidence.missing_tags) == (0, ())
    assert evidence.problems == ()


def test_tables_without_the_subject_stay_as_they_are(workspace: Workspace) -> None:
    tables, row = workspace.tables, arrow_schema(workspace.use_case)

    def publish(*ids: int) -> TableVersion:
        rows = pa.Table.from_pylist([{"id": i} for i in ids], schema=row)
        hashes = row_hashes(rows)
        rows = rows.append_column(ROW_HASH, pa.array(hashes))
        return tables.publish("training", rows, content_hash(hashes))

    with_it, without, newest = publish(1, 2), publish(2, 3), publish(4)
    for version in (with_it, without):
        register(workspace, training_version=str(version.version), training_hash="x")
    done = forgotten(workspace, 1)
    assert (done.versions_marked, done.rows) == (("1",), {})
    marked, other = (Version.read(workspace, number) for number in ("1", "2"))
    assert "reproducible" not in other.tags
    assert tables.intact(without)
    assert not tables.intact(with_it)
    again = tables.read("training", int(marked.tags["training_version"]))
    assert again.column("id").to_pylist() == [2]
    assert tables.read("training").column("id").to_pylist() == [4]
    assert tables.metadata("training")[CONTENT_HASH] == newest.content_hash


def test_a_pinned_version_that_is_lost_holds_nothing_up(answered: Workspace) -> None:
    subject = trained_on(answered)[0]
    register(answered, training_version="9999", holdout_version="9999", raw_version="9999")
    assert forgotten(answered, subject).versions_marked == (champion(answered).version,)
    assert holders(answered.tables, subject) == set()


def test_the_same_again_finds_nothing(answered: Workspace) -> None:
    subject = trained_on(answered)[0]
    forgotten(answered, subject)
    names: tuple[TableName, ...] = ("raw", "training", "holdout")
    versions = {name: answered.tables.version(name) for name in names}
    again = forgotten(answered, subject)
    assert (again.rows, again.versions_marked) == ({}, ())
    assert {name: answered.tables.version(name) for name in versions} == versions


def test_the_pipeline_goes_on_from_what_is_left(answered: Workspace) -> None:
    subject = trained_on(answered)[0]
    forgotten(answered, subject)
    raw = answered.tables.read("raw")
    total = content_hash(raw.column(ROW_HASH).to_numpy())
    assert answered.tables.metadata("raw")[CONTENT_HASH] == total
    # The source delivers the row again, as the report has said.
    assert ingest(in_training(answered), Rehearsal()).result.rows_new == 1


def in_training(workspace: Workspace) -> Workspace:
    """The same in the experiment of training runs."""
    return connected(workspace.use_case, workspace.settings, "training")


def test_feedback_by_prediction_id_goes_with_its_prediction(answered: Workspace) -> None:
    tables = answered.tables
    (row,) = tables.read("predictions", where=f"prediction_id = '{REQUEST}-40'").to_pylist()
    assert forgotten(answered, row["penguin"]).rows["feedback"] == 1
    ids = tables.read("feedback").column("prediction_id").to_pylist()
    assert f"{REQUEST}-40" not in ids
    assert f"{REQUEST}-1" in ids


def test_the_run_and_the_report_do_not_name_the_subject(
    answered: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    main("penguins", key="penguin=11", as_json="yes")
    said = json.loads(capsys.readouterr().out)
    assert any("backups" in text for text in said["unreachable"])
    runs = answered.client.search_runs([answered.experiment_id], "tags.step = 'forget'")
    assert [run.data.params for run in runs] == [{}]


def test_what_waits_in_the_spool_is_counted(answered: Workspace) -> None:
    use_case, folder = answered.use_case, answered.settings.spool_folder("penguins")
    given = answer_of(use_case, "r", features=_row(), keys={"penguin": [1]})
    spooled(folder, use_case, [given])
    open_too = spool_of(folder / "feedback", use_case)
    open_too.write([entry(given)], sync=False)
    said = forgotten(answered, 1).unreachable
    assert any("1 rows and 1 segments that are being written" in text for text in said)
    open_too.close()
    said = forgotten(answered, 1).unreachable
    assert any("2 rows and 0 segments" in text for text in said)
    assert any("answered, labelled or shipped meanwhile" in text for text in said)


@contextmanager
def shipping(workspace: Workspace, folder: Path) -> Iterator[Shipper]:
    """A shipper that commits answers about all kinds of subjects, one commit after the other."""
    shipper, stop = Shipper(folder, workspace.tables), threading.Event()

    def ship() -> None:
        while not stop.is_set():
            features = {name: 2 * values for name, values in _row().items()}
            keys = {"penguin": [-1, 10_000]}
            facts: dict[str, Any] = {"features": features, "keys": keys}
            facts |= {"prediction": ["Adelie"] * 2, "probability": None}
            facts |= {"event_time": [MOMENT] * 2, "logged_time": datetime.now(UTC)}
            given = answer_of(workspace.use_case, uuid.uuid4().hex, 2, **facts)
            spooled(folder, workspace.use_case, [given])
            shipper.attempt()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(ship)
        try:
            yield shipper
        finally:
            stop.set()
    done.result()


def test_beside_a_shipper_that_commits_without_a_pause(answered: Workspace, home: Path) -> None:
    subject = trained_on(answered)[0]
    with shipping(answered, home / "s") as shipper:
        assert forgotten(answered, subject).rows["predictions"] == 1
    assert holders(answered.tables, subject) == set()
    assert shipper.rows_shipped > 10
    there = answered.tables.read("predictions", where="penguin = 10000").num_rows
    assert 2 * there == shipper.rows_shipped


@pytest.mark.parametrize("ahead", [False, True])  # a host's clock ran a day ahead for a while
@pytest.mark.parametrize("name", ["predictions", "feedback"])
def test_what_is_shipped_during_a_deletion_does_not_undo_it(
    home: Path, name: TableName, ahead: bool
) -> None:
    tables, keys = Tables(str(home / "data"), "made"), {"id": "string"}
    wide, narrow = (
        predictions_schema({"size": "number"}, keys, "boolean"),
        feedback_schema(keys, "boolean"),
    )
    schema = wide if name == "predictions" else narrow
    now = datetime.now(UTC) - timedelta(hours=2)

    def ship(hour: int, *keys: str) -> None:
        came = now + timedelta(hours=hour)
        times = dict.fromkeys(("logged_time", "received_time", "event_time"), came)
        rows = [dict.fromkeys(schema.names) | times | {"id": key} for key in keys]
        tables.append(name, pa.Table.from_pylist(rows, schema=schema))

    ship(0, "00", "88", "ff")  # hashes: a file may hold any
    if ahead:
        ship(26, "88")
    n_rows, condition = matching(tables, name, "id = '88'")
    opened = tables.open(name)
    ship(1, "01", "fe")
    opened.delete(condition)
    assert n_rows == 1 + ahead
    found = tables.read(name, order_by=["id"]).column("id").to_pylist()
    assert found == ["00", "01", "fe", "ff"]


def _row() -> dict[str, Any]:
    numbers = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
    return {"island": ["Biscoe"], "sex": [None]} | {name: [1.0] for name in numbers}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "column=value of id is needed"),
        ("no", "id: integer expected, found text"),
        ("id=1,idd=2", "did you mean 'id'"),
        ("id=", "key: id has no value; one is needed"),
        ('{"id": 1', "key: an object of JSON can't be read"),
    ],
)
def test_a_key_that_names_nobody_is_refused(home: Path, key: str, said: str) -> None:
    use_case = made_use_case(home)
    with pytest.raises(BadInput, match=said):
        read_subject(key, use_case, Pseudonymiser.of(use_case, ""))


def test_a_value_is_written_as_sql_reads_it() -> None:
    assert [as_sql(v) for v in (True, 7, 1.5, "o'k")] == ["true", "7", "1.5", "'o''k'"]


def test_a_refused_label_whose_key_is_no_moment_is_kept_without_it(home: Path) -> None:
    columns = made_use_case(home).columns | {"id": Column(type="timestamp")}
    use_case = made_use_case(home, {"columns": columns, "time_zone": "America/New_York"})
    pseudonymiser = Pseudonymiser.of(use_case, "a secret")
    rows = pa.table({"id": ["2024-03-10T02:30:00"], "label": ["maybe"]})  # the clock skips it
    refused = statements(rows, use_case, pseudonymiser, MOMENT).refused
    assert refusal_rows(refused, "f", use_case, pseudonymiser, MOMENT).num_rows == 1


def test_the_log_is_searched_for_the_hash(home: Path) -> None:
    columns = made_use_case(home).columns
    hidden = {"id": Column(type="integer", personal=True)}
    use_case = made_use_case(home, {"columns": columns | hidden})
    pseudonymiser, tables = (
        Pseudonymiser.of(use_case, "a secret"),
        Tables(str(home / "data"), "made"),
    )
    keys = pseudonymiser.apply({"id": [7, 8]})
    spooled(home / "s", use_case, [answer_of(use_case, "r", 2, keys=keys)])
    Shipper(home / "s", tables).drain()
    subject = read_subject("7", use_case, pseudonymiser)
    assert subject.prediction_ids(tables) == ["r-0"]
    assert subject.where("raw") == '"id" = 7'
    dropped = {"id": Column(type="integer", personal=True, log="drop")}
    hidden_case = made_use_case(home, {"columns": columns | dropped})
    blind = Subject({"id": 7}, Pseudonymiser.of(hidden_case, ""))
    assert (blind.unlogged, blind.prediction_ids(tables)) == (["id"], [])


@pytest.mark.parametrize("personal", [False, True])
@pytest.mark.parametrize(
    ("kind", "said", "key"),
    [
        ("integer", pa.array([7.0, 8.0, None]), "7"),  # integers beside a null, as pandas has them
        ("string", pa.array(["7", "8", None]), "7"),
        ("timestamp", pa.array(["2024-03-01T13:00:00+01:00", "", None]), "2024-03-01 12:00:00"),
    ],
)
def test_a_refused_label_is_found_however_its_key_was_said(
    home: Path, personal: bool, kind: ColumnType, said: pa.Array, key: str
) -> None:
    columns = made_use_case(home).columns | {"id": Column(type=kind, personal=personal)}
    use_case, tables = made_use_case(home, {"columns": columns}), Tables(str(home / "data"), "made")
    pseudonymiser, rows = (
        Pseudonymiser.of(use_case, "a secret"),
        pa.table({"id": said, "label": ["maybe"] * 3}),
    )
    refused = statements(rows, use_case, pseudonymiser, MOMENT).refused
    tables.append(
        "feedback_quarantine", refusal_rows(refused, "f", use_case, pseudonymiser, MOMENT)
    )
    where = read_subject(key, use_case, pseudonymiser).where("feedback_quarantine")
    assert tables.read("feedback_quarantine", where=where).column("row").to_pylist() == [0]


@pytest.mark.parametrize("kind", ["integer", "string"])
def test_rows_from_before_a_column_was_hidden_are_found(home: Path, kind: ColumnType) -> None:
    columns, tables = made_use_case(home).columns, Tables(str(home / "data"), "made")
    key: object = 7 if kind == "integer" else "7"
    for personal, keys in ((False, [key, 8 if kind == "integer" else "8"]), (True, [key])):
        hidden = {"id": Column(type=kind, personal=personal)}
        use_case = made_use_case(home, {"columns": columns | hidden})
        pseudonymiser = Pseudonymiser.of(use_case, "a secret")
        covered = pseudonymiser.apply({"id": keys})
        spooled(home / "s", use_case, [answer_of(use_case, f"{personal}", len(keys), keys=covered)])
        Shipper(home / "s", tables).drain()
    found = read_subject("7", use_case, pseudonymiser).prediction_ids(tables)
    # An integer's hash does not fit the table and waits in quarantine.
    assert sorted(found) == (["False-0"] if kind == "integer" else ["False-0", "True-0"])
