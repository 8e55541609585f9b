"""Answers of a batch are answers: monitored, labelled, traced, asked again, forgotten, expired."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pandas as pd
import pyarrow.parquet as pq
import pytest

from contract.errors import BadInput, Refused
from contract.store.labels import label_tables, labels_sql
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest
from pipelines.backtest import backtest
from pipelines.data.retention import expire
from pipelines.data.traffic import inputs_sql, read_traffic
from pipelines.feedback import feedback
from pipelines.forget import forget
from pipelines.lineage import lineage
from pipelines.lineage import main as command
from pipelines.registry.versions import champion_of
from pipelines.release.loaded_package import load
from pipelines.runtime.workspace import Workspace
from pipelines.score import score
from serving.requests.columns import SentColumns, check
from serving.shipping.shipper import Shipper
from tests.support import batch
from tests.support.answers import answer, spooled
from tests.support.small import Registry
from tracking.tags import REPRODUCIBLE_TAG

N_ROWS = 60
DAY, NEXT = date(2024, 2, 1), date(2024, 2, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """A window that was answered half by HTTP and half by a batch."""
    folder = tmp_path_factory.mktemp("answered")
    batch.make_registry(folder, empty_store)
    workspace = batch.opened(folder)
    by_http(workspace, folder, batch.rows(N_ROWS))
    batch.rows(N_ROWS, first=N_ROWS).to_parquet(folder / "rows.parquet", index=False)
    done = score(workspace, str(folder / "rows.parquet"), str(folder / "a.parquet"), log=True)
    assert done.result.logged == N_ROWS
    return folder


@pytest.fixture
def orders(made: Path, home: Path) -> Workspace:
    shutil.copy(made / "a.parquet", home)
    shutil.copytree(made / "first", home / "first")
    return batch.copied(made, home)


def by_http(workspace: Workspace, folder: Path, rows: pd.DataFrame) -> None:
    """Let the champion answer as the service does."""
    champion = champion_of(workspace)
    assert champion
    served = load(workspace, champion).served
    columns = {name: rows[name].tolist() for name in ("id", "size")}
    columns["moment"] = [batch.DAY] * len(rows)
    checked = check(SentColumns(columns, len(rows)), served.use_case)
    found = served.scorer.score(checked.features)
    record = answer(
        served.use_case,
        str(uuid4()),
        len(rows),
        version=served.version,
        features=checked.features,
        keys=checked.keys,
        event_time=checked.event_time,
        prediction=found.prediction,
        probability=found.probability,
        flags=checked.flags,
        logged_time=datetime.now(UTC),
    )
    spooled(folder / "spool", served.use_case, [record])
    Shipper(folder / "spool", workspace.tables).drain()


def answer_of(home: Path, place: int) -> dict[str, object]:
    rows: list[dict[str, object]] = pq.read_table(home / "a.parquet").to_pylist()
    return rows[place]


def labelled(workspace: Workspace) -> dict[str, str]:
    opened = label_tables(workspace.tables)
    rows = workspace.tables.query(labels_sql(workspace.use_case.keys), **opened).to_pylist()
    return {row["prediction_id"]: row["label"] for row in rows}


def test_a_window_counts_those_of_http_and_those_of_a_batch(orders: Workspace, home: Path) -> None:
    settings = orders.settings
    (report,) = monitor(orders.use_case, settings, WindowRequest(DAY, NEXT), now=datetime.now(UTC))
    assert (report.rows, report.version) == (2 * N_ROWS, "1")
    sources = orders.tables.read("predictions").column("source").to_pylist()
    assert (sources.count("http"), sources.count("batch")) == (N_ROWS, N_ROWS)


def test_a_label_finds_a_batch_answer_by_its_id_and_by_its_keys(
    orders: Workspace, home: Path
) -> None:
    by_id, by_key = answer_of(home, 0), answer_of(home, 1)
    (home / "ids.csv").write_text(f"prediction_id,label\n{by_id['prediction_id']},b\n")
    (home / "keys.csv").write_text(f"id,kind\n{by_key['id']},a\n")
    for source in ("ids.csv", "keys.csv"):
        feedback(orders, source)
    assert labelled(orders) == {by_id["prediction_id"]: "b", by_key["prediction_id"]: "a"}
    traced = lineage(orders, str(by_id["prediction_id"]))
    assert (traced.prediction["source"], traced.prediction["id"]) == ("batch", by_id["id"])
    assert (traced.version["version"], traced.champion_then) == ("1", "1")
    assert [label["label"] for label in traced.labels] == ["b"]


def test_what_is_odd_about_an_answer_is_noted(orders: Workspace, home: Path) -> None:
    with pytest.raises(BadInput, match="prediction_id: the id of an answer is needed"):
        command("orders")
    Registry(orders.client, "orders", orders.tables).promote(home / "first")
    orders.client.set_model_version_tag("orders", "1", REPRODUCIBLE_TAG, "no")
    batch.rows(10, first=500).to_parquet(home / "late.parquet", index=False)
    score(orders, str(home / "late.parquet"), str(home / "late.csv"), version="1", log=True)
    late = str(pd.read_csv(home / "late.csv")["prediction_id"][0])
    traced = lineage(orders, late)
    assert (traced.version["version"], traced.champion_then, traced.labels) == ("1", "2", [])
    assert traced.notes[0].startswith("the ledger's champion was version 2 by then: a service")
    assert traced.notes[1] == "not reproducible: no reason given"


def test_a_backtest_takes_both(orders: Workspace) -> None:
    champion = champion_of(orders)
    assert champion
    done = backtest(orders, champion, str(DAY), str(NEXT)).result
    assert (done.rows, done.rows_different) == (2 * N_ROWS, 0)


def test_a_feature_that_was_not_asked_for_then_is_named(orders: Workspace) -> None:
    traffic = read_traffic(orders.tables, orders.use_case, str(DAY), str(NEXT))
    with pytest.raises(Refused, match="The log has no feature weight; versions since add them"):
        inputs_sql(traffic, ["size", "weight"], orders.use_case)


def test_forget_and_retention_remove_them(orders: Workspace, home: Path) -> None:
    subject = answer_of(home, 5)
    (home / "ids.csv").write_text(f"prediction_id,label\n{subject['prediction_id']},b\n")
    feedback(orders, "ids.csv")
    assert forget(orders, str(subject["id"])).result.rows == {"predictions": 1, "feedback": 1}
    assert subject["id"] not in orders.tables.read("predictions").column("id").to_pylist()
    other = answer_of(home, 6)["prediction_id"]
    (home / "other.csv").write_text(f"prediction_id,label\n{other},b\n")
    feedback(orders, "other.csv")
    soon, later = (datetime.now(UTC) + timedelta(days=days) for days in (29, 31))
    assert expire(orders.tables, orders.use_case, soon) == {
        "feedback": 0,
        "predictions": 0,
    }
    assert expire(orders.tables, orders.use_case, later) == {
        "feedback": 1,
        "predictions": 2 * N_ROWS - 1,
    }
