"""Feedback over HTTP: what is accepted reaches its table once, what is wrong is said plainly."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from contract.store.labels import label_tables, labels_sql
from contract.store.tables import Tables
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from contract.use_case.sections.column import Column
from pipelines.package import seal
from serving.log.feedback_record import FeedbackRecord
from serving.log.record import FEEDBACK_FOLDER, RecordSchema, encode
from serving.log.segment_frames import FrameKind
from serving.log.spool import CLOSED, SpoolEntry
from serving.requests.columns import SentColumns
from serving.requests.errors import Problem
from serving.requests.label_columns import check_labels, keys_of
from serving.shipper import shippers
from serving.shipping.feedback_rows import feedback_rows
from serving.shipping.record_kinds import FEEDBACK
from serving.shipping.shipper import Shipper
from tests.conftest import made_use_case
from tests.serving.endpoints.test_predictions import ROW
from tests.support.answers import MOMENT, answer, spool_of, spooled
from tests.support.running import VERSION, app_of, current_of, running, spool_in

ID = "0198b5f2-6a3c-7c1e-9d52-1f0a6f0c9b11-0"
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()


def post(address: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{address}/feedback", timeout=20, **body)


def shipped(folder: Path) -> list[dict[str, Any]]:
    """The table after everything in the spool of the folder has been shipped."""
    tables = Tables(str(folder / "data"), "penguins")
    Shipper(spool_in(folder) / FEEDBACK_FOLDER, tables, FEEDBACK).drain()
    rows: list[dict[str, Any]] = tables.read("feedback", order_by=["label_time"]).to_pylist()
    return rows


def test_accepted_labels_reach_their_table_once(package: Path, home: Path) -> None:
    known = "2024-05-01T10:00:00+02:00"
    with running(app_of(current_of(package, home), home)) as address:
        one = post(address, json={"prediction_id": ID, "label": "Gentoo"})
        by_key = {"penguin": 7, "label": "Adelie", "label_time": known}
        two = post(address, json={"rows": [by_key, {"prediction_id": ID, "label": "Adelie"}]})
    assert [one.status_code, two.status_code] == [202, 202]
    assert [one.json()["accepted"], two.json()["accepted"]] == [1, 2]
    assert one.headers["X-Request-Id"] == one.json()["request_id"]
    assert one.headers["X-Model-Version"] == VERSION
    first, *rest = shipped(home)
    assert first["label_time"] == datetime(2024, 5, 1, 8, tzinfo=UTC)
    assert (first["penguin"], first["prediction_id"], first["label"]) == (7, None, "Adelie")
    assert [(r["prediction_id"], r["label"]) for r in rest] == [(ID, "Gentoo"), (ID, "Adelie")]
    assert all(row["label_time"] == row["received_time"] for row in rest)
    assert shipped(home) == [first, *rest]


BAD: list[tuple[Any, int, str, int | None, str | None]] = [
    ([], 400, "One label as an object", None, None),
    ({"rows": {}}, 400, "One label as an object", None, None),
    ({"rows": []}, 400, "no rows", None, None),
    ({"rows": [{"penguin": 1, "label": "Gentoo"}] * 101}, 413, "at most 100", None, None),
    ({"penguin": 1}, 422, "column 'label': it is missing", 0, "label"),
    ({"penguin": 1, "label": None}, 422, "string expected, found null", 0, "label"),
    ({"penguin": 1, "label": 1}, 422, "string expected, found number", 0, "label"),
    ({"penguin": 1, "label": "Emperor"}, 422, "one of Adelie, Chinstrap, Gentoo", 0, "label"),
    ({"penguin": "x", "label": "Gentoo"}, 422, "integer expected, found text", 0, "penguin"),
    ({"label": "Gentoo"}, 422, "prediction_id or penguin is needed", 0, None),
    ({"penguin": 1, "prediction_id": ID, "label": "Gentoo"}, 422, "not both", 0, None),
    ({"prediction_id": "7", "label": "Gentoo"}, 422, "the id of a prediction", 0, "prediction_id"),
    ({"penguin": 1, "label": "Gentoo", "lable": 1}, 422, "did you mean 'label'", 0, None),
    ({"penguin": 1, "label": "Gentoo", "label_time": "soon"}, 422, "timestamp", 0, "label_time"),
    ({"penguin": 1, "label": "Gentoo", "label_time": LATER}, 422, "has passed", 0, "label_time"),
]


@pytest.mark.parametrize(("body", "status", "said", "row", "column"), BAD)
def test_a_wrong_label_is_refused_by_row_and_member(
    address: str, body: Any, status: int, said: str, row: int | None, column: str | None
) -> None:
    found = post(address, json=body)
    told = found.json()
    assert (found.status_code, told.get("row"), told.get("column")) == (status, row, column)
    assert said in told["detail"]
    assert "Emperor" not in found.text


def test_one_wrong_row_refuses_all(address: str) -> None:
    good, bad = {"penguin": 1, "label": "Gentoo"}, {"penguin": 1, "label": True}
    found = post(address, json={"rows": [good, good, bad]})
    assert found.json()["row"] == 2


def test_the_document_says_how_labels_are_sent(address: str) -> None:
    operation = httpx.get(f"{address}/openapi.json").json()["paths"]["/feedback"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert post(address, json=example).status_code == 202
    assert {"202", "422", "503"} <= set(operation["responses"])


def test_labels_are_not_taken_where_nothing_is_logged(package: Path, home: Path) -> None:
    app = app_of(current_of(package, home), home, log_sync="off")
    with running(app) as address:
        found = post(address, json={"penguin": 1, "label": "Gentoo"})
    assert (found.status_code, found.headers["Retry-After"]) == (503, "1")


def said(use_case: UseCase, request_id: str, **changes: Any) -> FeedbackRecord:
    facts: dict[str, Any] = {
        "request_id": request_id,
        "schema_hash": RecordSchema.of(use_case).schema_hash,
        "prediction_id": [None],
        "keys": {"id": [0]},
        "event_time": [None],
        "label": [True],
        "label_time": [None],
        "received_time": MOMENT,
        "key_id": "crm",
    }
    return FeedbackRecord(**facts | changes)


def test_answers_and_labels_are_shipped_beside_each_other(home: Path) -> None:
    use_case, folder = made_use_case(home), home / "s"
    tables = Tables(str(home / "data"), "made")
    for round_ in range(2):
        spooled(folder, use_case, [answer(use_case, f"r{round_}")])
        spool = spool_of(folder / FEEDBACK_FOLDER, use_case)
        record = said(use_case, f"f{round_}", prediction_id=[f"r{round_}-0"], keys={"id": [None]})
        spool.write(
            [SpoolEntry(FrameKind.FEEDBACK, record.schema_hash, 1, encode(record))], sync=True
        )
        spool.close()
        assert [shipper.attempt() for shipper in shippers(folder, tables)] == ["", ""]
    found = tables.query(labels_sql(["id"]), **label_tables(tables)).to_pylist()
    labels = {row["prediction_id"]: (row["revision"], row["label"]) for row in found}
    assert labels == {"r0-0": (1, True), "r1-0": (1, True)}
    assert tables.read("feedback", columns=["key_id"]).column("key_id").to_pylist() == ["crm"] * 2


def test_a_label_in_the_spool_of_answers_is_set_apart(home: Path) -> None:
    use_case = made_use_case(home)
    record = said(use_case, "f")
    spool = spool_of(home / "s", use_case)
    spool.write([SpoolEntry(FrameKind.FEEDBACK, record.schema_hash, 1, encode(record))], sync=True)
    spool.close()
    Shipper(home / "s", Tables(str(home / "data"), "made")).drain()
    (kept,) = (home / "s" / "quarantine").glob("*.json")
    assert "feedback in a spool of predictions" in kept.read_text()


@pytest.fixture
def hiding(package: Path, home: Path) -> Path:
    """The package with personal columns: two are hashed, one is left out of the log."""
    folder = home / "hiding"
    shutil.copytree(package, folder)
    (folder / "manifest.json").unlink()
    declared = yaml.safe_load((folder / "use_case.yaml").read_text(encoding="utf-8"))
    for name, more in (("penguin", {}), ("island", {}), ("sex", {"log": "drop"})):
        declared["columns"][name] |= {"personal": True, **more}
    (folder / "use_case.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    seal(folder)
    return folder


def test_personal_columns_reach_the_tables_as_declared(hiding: Path, home: Path) -> None:
    app = app_of(current_of(hiding, home, "secret"), home, log_secret=SecretStr("secret"))
    with running(app) as address:
        sent = {"rows": [ROW | {"penguin": 7}, ROW | {"penguin": 8}]}
        answer = httpx.post(f"{address}/predict", json=sent, timeout=20).json()
        assert post(address, json={"penguin": 8, "label": "Gentoo"}).status_code == 202
    segments = [path.read_bytes() for path in (home / "spool").rglob("*.segment")]
    assert segments
    assert [content for content in segments if ROW["island"].encode() in content] == []
    tables = Tables(str(home / "data"), "penguins")
    for shipper in shippers(spool_in(home), tables):
        assert shipper.attempt() == ""
    rows = tables.read("predictions", order_by=["row"]).to_pylist()
    assert "sex" not in rows[0]["inputs"]
    assert rows[0]["inputs"]["island"] == rows[1]["inputs"]["island"] != ROW["island"]
    assert rows[0]["penguin"] != rows[1]["penguin"]
    found = tables.query(labels_sql(["penguin"]), **label_tables(tables)).to_pylist()
    told = answer["predictions"][1]["prediction_id"]
    assert [(row["prediction_id"], row["label"]) for row in found] == [(told, "Gentoo")]


@pytest.mark.parametrize("keys", [("id",), ("id", "colour")])
def test_keys_that_the_log_leaves_out_name_no_row(home: Path, keys: tuple[str, ...]) -> None:
    dropped = {"id": Column(type="integer", personal=True, log="drop")}
    columns = made_use_case(home).columns | dropped
    use_case = made_use_case(home, {"columns": columns, "keys": keys})
    sent_keys: dict[str, list[Any]] = {"id": [7], "colour": ["red"]}
    for named in ({}, {key: sent_keys[key] for key in keys[-1:]}):
        with pytest.raises(Problem, match="0: prediction_id is needed: the log leaves out a key"):
            check_labels(SentColumns({**named, "label": [True]}, 1), use_case, MOMENT)
    sent = check_labels(SentColumns({"prediction_id": [ID], "label": [True]}, 1), use_case, MOMENT)
    logged = Pseudonymiser.of(use_case, "").apply(keys_of(sent, use_case))
    record = said(use_case, "f", prediction_id=[ID], keys=logged)
    (row,) = feedback_rows(RecordSchema.of(use_case), [record]).to_pylist()
    assert {name: row.get(name) for name in (*keys, "prediction_id")} == {
        **dict.fromkeys(keys),
        "prediction_id": ID,
    }


def test_what_can_not_be_hidden_is_not_served_and_counted(hiding: Path, home: Path) -> None:
    current = current_of(hiding, home)
    assert current.served() is None
    assert "set FOURCYCLE_LOG_SECRET" in current.status().trouble[0]
    with running(app_of(current, home)) as address:
        text = httpx.get(f"{address}/metrics", timeout=20).text
    assert 'fourcycle_reloads_total{result="failed"} 1.0' in text


def test_labels_that_wait_and_that_were_taken_are_counted(package: Path, home: Path) -> None:
    noise = spool_in(home) / FEEDBACK_FOLDER / f"{0:032x}.00000001.0{CLOSED}"
    noise.parent.mkdir(parents=True)
    noise.write_bytes(b"noise")
    with running(app_of(current_of(package, home), home)) as address:
        assert post(address, json={"penguin": 1, "label": "Gentoo"}).status_code == 202
        found = shippers(spool_in(home), Tables(str(home / "data"), "penguins"))
        for shipper in found:
            shipper.folder.mkdir(parents=True, exist_ok=True)
            shipper.attempt()
        waiting = 'fourcycle_log_backlog_rows{table="feedback"} 0.0'
        for _ in range(50):
            text = httpx.get(f"{address}/metrics", timeout=20).text
            if waiting in text:
                break
            time.sleep(0.1)
    assert waiting in text
    assert 'fourcycle_log_quarantined{table="feedback"} 1.0' in text
    assert "fourcycle_feedback_rows_total 1.0" in text
