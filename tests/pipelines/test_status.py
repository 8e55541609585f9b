"""How every use case stands: two of them, one failing, from a real store; and what may be wrong."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient
from playwright.sync_api import sync_playwright

from contract.errors import BadInput, Unavailable
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import frozen
from contract.use_case.sections.schedule import Schedule
from monitoring.monitor import monitor
from monitoring.windows.window import WindowRequest
from pipelines import datasets, status
from pipelines.runtime.workspace import connected
from pipelines.scheduling.due import JobState
from pipelines.scheduling.health import Health, served
from pipelines.scheduling.overview import publish
from pipelines.scheduling.overview.served import OverviewPages
from pipelines.scheduling.state_files import JobStates
from serving.log.spool import make_folder
from tests.conftest import made_use_case, settle
from tests.serving.http.test_status_page import ARGUMENTS, CHROMIUM
from tests.support import monitored as made
from tests.support.accessibility import findings
from tests.support.project import PROJECT
from tests.support.stores import ask_for_later
from tests.support.turned import Turned, copied
from tracking.tags import APPROVAL_TAG, GATE_REASONS_TAG, GATE_TAG, STEP_TAG

EVIL = "<b onload=alert(1)>calm</b>"


@pytest.fixture(scope="module")
def both(turned: Turned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store with `made`, whose performance fell and whose job fails, and with `calm`."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        workspace = copied(turned, folder)
        calm = made_use_case(folder, {"name": "calm", "title": EVIL, "owner": "ann@example.org"})
        (folder / "calm").mkdir()
        made.register(folder / "calm", calm)  # a store of its own: its package is what is needed
        package = (folder / "calm/package").as_uri()
        client, settings = workspace.client, workspace.settings  # MLflow names the other store
        client.create_registered_model("calm")
        theirs = MlflowClient(f"sqlite:///{folder}/calm/mlflow.db")
        tags = theirs.get_model_version("calm", "1").tags
        version = client.create_model_version("calm", package, tags=tags)
        client.set_registered_model_alias("calm", "champion", version.version)
        tables = Tables(settings.table_root, "calm")
        rows = made.rows(300, 1)
        made.answer(tables, calm, rows)
        made.label(tables, rows.iloc[:150])
        monitor(calm, settings, WindowRequest())
        schedule = Schedule(monitor="15 2 * * *", retrain="45 2 * * *", attempts=2)
        declared = turned.use_case.model_copy(update={"schedule": schedule})
        (folder / "made.yaml").write_text(frozen(declared), encoding="utf-8")
        store = JobStates.of(settings, "made")
        now = datetime.now(UTC)
        store.write("monitor", JobState(done=now, tried=now))
        store.write("retrain", JobState(tried=now, trouble="ended with exit code 1", failures=3))
        make_folder(settings.spool_folder("made"))
        yield folder


@pytest.fixture
def here(both: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with both, worked in."""
    monkeypatch.chdir(both)
    return both


def documents(
    capsys: pytest.CaptureFixture[str], use_case: str = ""
) -> dict[str, dict[str, object]]:
    status.main(use_case, as_json="yes")
    return {d["name"]: d for d in json.loads(capsys.readouterr().out)["use_cases"]}


def test_both_stand_as_they_are(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = documents(capsys)
    assert list(found) == ["made", "calm"]
    bad, calm = found["made"], found["calm"]
    assert (bad["call"], calm["call"]) == ("act", "well")
    client = connected(made_use_case(here), read_settings(), "monitoring").client
    champion = client.get_model_version_by_alias("made", "champion")
    figures = client.get_run(champion.tags["evaluate_run"]).data.metrics
    assert bad["holdout"] == {
        "metric": "roc_auc",
        "value": figures["holdout/roc_auc"],
        "low": figures["holdout/roc_auc_low"],
        "high": figures["holdout/roc_auc_high"],
        "on": "on the holdout",
    }
    live, verdict = bad["live"], bad["verdict"]
    assert isinstance(live, dict) and isinstance(verdict, dict)
    assert live["version"] == str(champion.version)
    assert live["why"].startswith("the gate passed")
    assert (verdict["state"], verdict["window"][:10]) == ("DRIFT", "2024-02-02")
    assert "performance" in verdict["reason"]
    assert isinstance(bad["realised"], dict) and bad["realised"]["value"] < 0.5
    assert (bad["label_coverage"], calm["label_coverage"]) == (1.0, 0.5)
    assert bad["backlog"] == {"rows": 0, "age_s": 0.0, "quarantined": 0, "problem": ""}
    assert calm["backlog"] is None
    assert (calm["owner"], calm["jobs"]) == ("ann@example.org", [])


def test_jobs_are_those_that_today_s_file_declares(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bad,) = documents(capsys, "made.yaml").values()
    jobs = {job["name"]: job for job in bad["jobs"]}  # type: ignore[attr-defined]
    assert (jobs["monitor"]["well"], jobs["retrain"]["well"]) == (True, False)
    assert jobs["monitor"]["next_due"].endswith("02:15")
    assert (jobs["retrain"]["failures"], jobs["retrain"]["last"]) == (3, "")
    assert "the job retrain failed 3 times in a row" in bad["reasons"]  # type: ignore[operator]
    status.main("made.yaml")
    said = capsys.readouterr().out
    assert "retrain FAILS (ended with exit code 1)" in said
    assert len(said.splitlines()) <= 12


@pytest.mark.browser
def test_leaders_read_the_page_on_any_screen(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = here / "a folder/100 %.html"
    status.main(html=str(file))
    assert "somebody must act in 1" in capsys.readouterr().out
    text = file.read_text(encoding="utf-8")
    assert "<b onload" not in text and "&lt;b onload" in text
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        assert findings(browser, file.as_uri()) == []
        assert findings(browser, file.as_uri(), click="text=what is in them: made") == []
        page = browser.new_page()
        page.goto(file.as_uri())
        page.click("text=what is in them: made")
        assert page.inner_text("h1") == "Tables of made"
        assert "the rows that a version learned from" in page.inner_text("main").lower()
        page.click("text=Back to the overview")
        assert page.inner_text("h1") == "Overview"
        browser.close()


def test_what_waits_and_what_is_damaged_is_told(
    turned: Turned, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copied(turned, home)
    tags = {APPROVAL_TAG: "pending", "trained_by": "ann"}
    made_version = workspace.client.create_model_version("made", "file:///nowhere", tags=tags)
    workspace.client.set_registered_model_alias("made", "challenger", made_version.version)
    shipped = home / "shipped"
    shipped.mkdir()
    (shipped / "made.yaml").write_text("name: made\ntask: magic\n")
    monkeypatch.setattr("pipelines.data.catalogue.known.SHIPPED", shipped)
    monkeypatch.setattr("contract.use_case.loader.SHIPPED", shipped)
    (found,) = documents(capsys).values()
    assert found["waiting"] == (
        f"version {made_version.version} waits for the approval of somebody else than ann, who "
        "trained it"
    )
    (trouble,) = list(found["troubles"])  # type: ignore[call-overload]
    assert "is not a usable use case" in trouble and "task" in trouble
    assert found["title"] == "Made rows"  # of the frozen copy
    with pytest.raises(BadInput, match="folder"):
        status.main(html=str(shipped))


def test_the_newest_run_holds_the_overview(turned: Turned, home: Path) -> None:
    workspace = copied(turned, home)
    run_id = publish.log(workspace.settings, workspace.client, "made")
    assert [f.path for f in workspace.client.list_artifacts(run_id) if "overview" in f.path] == [
        "overview.html"
    ]
    assert publish.log(workspace.settings, workspace.client, "nobody") == ""


def test_an_empty_store_is_no_trouble_and_stays_empty(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status.main(html="o.html")
    assert "No use case is known here yet" in capsys.readouterr().out
    assert sorted(path.name for path in home.iterdir()) == ["o.html"]


@pytest.mark.parametrize("away", ["http://127.0.0.1:9", "postgresql://u:p@127.0.0.1:9/x"])
def test_a_store_that_is_away_is_told_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, away: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", away)
    with pytest.raises(Unavailable):
        status.main()


def test_tables_that_are_away_are_told(
    turned: Turned, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(turned, home)
    monkeypatch.setenv("FOURCYCLE_ROOT", "s3://tables/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with pytest.raises(Unavailable, match="do not answer"):
        status.main()


def test_many_versions_are_quick(
    turned: Turned, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied(turned, home)
    with sqlite3.connect(home / "mlflow.db") as database:
        for table in ("model_versions", "model_version_tags"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            copy = ", ".join("n" if column == "version" else f't."{column}"' for column in columns)
            database.execute(
                "WITH RECURSIVE more(n) AS (SELECT 2 UNION ALL SELECT n+1 FROM more WHERE n < 301)"
                f" INSERT INTO {table} SELECT {copy} FROM {table} t, more WHERE t.version = 1"
            )
    started = time.process_time()
    (found,) = documents(capsys).values()
    assert time.process_time() - started < 5
    assert found["call"] == "act"


def test_the_scheduler_s_server_shows_the_pages(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    pages = OverviewPages("")
    with served(lambda: Health("made", "UTC", True, {}), "127.0.0.1", 0, pages.page) as address:
        with urlopen(f"{address}/overview.html") as answer:
            assert answer.headers["Content-Type"].startswith("text/html")
            assert "somebody must act in 1" in answer.read().decode()
        with urlopen(f"{address}/datasets/made.html") as answer:
            assert "Tables of made" in answer.read().decode()
        for path in ("/datasets/../overview.html", "/datasets/none.html", "/etc/passwd"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(f"{address}{path}")


def test_datasets_of_all_use_cases_are_found(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets.main(as_json="yes")
    listed = {(t["use_case"], t["table"]): t for t in json.loads(capsys.readouterr().out)}
    assert {name for name, _ in listed} == {"made", "calm"}
    assert listed["calm", "predictions"]["rows"] == 300
    datasets.main(action="search", words="predictions ann@example.org", as_json="yes")
    found = json.loads(capsys.readouterr().out)
    assert {hit["use_case"] for hit in found} == {"calm"}
    assert (found[0]["table"], found[0]["column"]) == ("predictions", "")


def test_a_table_is_described_profiled_compared_and_read(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    datasets.main("made", action="describe", table="training", as_json="yes")
    found = json.loads(capfd.readouterr().out)
    assert found["validations"][0]["result"] == "passed"
    assert found["last_validation"] == found["validations"][0]
    assert [m["version"] for m in found["models"]] == ["1"]
    assert found["freshness"]["newest_event"]
    datasets.main("made", action="profile", table="training", as_json="yes")
    size = {c["name"]: c for c in json.loads(capfd.readouterr().out)}["size"]
    frame = Tables(read_settings().table_root, "made").read("training").to_pandas()
    assert size["mean"] == pytest.approx(frame["size"].mean())
    datasets.main("made", action="diff", table="predictions", as_json="yes")
    changed = json.loads(capfd.readouterr().out)
    assert (changed["rows_before"], changed["rows_after"], changed["added"]) == (400, 800, 400)
    for action in ("list", "describe", "profile", "diff"):
        datasets.main(
            "made", action=action, table="training" if action != "diff" else "predictions"
        )
        assert "made" in capfd.readouterr().err.lower()
    datasets.main("made", action="read", table="training", limit="2")
    assert capfd.readouterr().out.count("\n") == 3
    with pytest.raises(BadInput, match="whole number"):
        datasets.main("made", action="read", table="training", version="new")
    with pytest.raises(BadInput, match="--words"):
        datasets.main(action="search")


def test_personal_columns_are_masked_until_they_are_asked_for(
    turned: Turned, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copied(turned, home)
    use_case = turned.use_case
    hidden = {
        name: column.model_copy(update={"personal": name == "group"})
        for name, column in use_case.columns.items()
    }
    text = frozen(use_case.model_copy(update={"columns": hidden}))
    (home / "made.yaml").write_text(text, encoding="utf-8")
    datasets.main("made.yaml", action="read", table="training", limit="5")
    assert capfd.readouterr().out.count("•••") == 5
    datasets.main("made.yaml", action="read", table="training", limit="5", personal="yes")
    assert "•••" not in capfd.readouterr().out
    datasets.main("made.yaml", action="profile", table="training")
    assert "personal: masked" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({}, "version 2 waits for the gate"),
        (
            {GATE_TAG: "refused", GATE_REASONS_TAG: "worse"},
            "version 2 stands in Staging, gate refused: worse",
        ),
    ],
)
def test_a_challenger_that_waits_for_no_person_is_told(
    turned: Turned, home: Path, capsys: pytest.CaptureFixture[str], tags: dict[str, str], said: str
) -> None:
    client = copied(turned, home).client
    client.create_model_version("made", "file:///nowhere", tags=tags)
    client.set_registered_model_alias("made", "challenger", "2")
    found = documents(capsys, "made")["made"]
    assert found["waiting"] == said


@pytest.mark.parametrize(("status_of", "said"), [("KILLED", "was stopped"), ("FAILED", "failed")])
def test_a_pipeline_that_did_not_do_its_work_is_told(
    turned: Turned, home: Path, capsys: pytest.CaptureFixture[str], status_of: str, said: str
) -> None:
    workspace = copied(turned, home)
    run = workspace.client.create_run(workspace.experiment_id, tags={STEP_TAG: "main"})
    workspace.client.set_terminated(run.info.run_id, status_of)
    found = documents(capsys, "made")["made"]
    assert str(found["pipeline"]).startswith(f"the last pipeline {said}, 20")


def test_a_ledger_that_can_t_be_read_is_told_and_the_rest_all_the_same(
    turned: Turned, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copied(turned, home)
    ask_for_later(home / "data/made/ledger")
    found = documents(capsys, "made")["made"]
    assert "newer" in str(found["troubles"])
    assert publish.log(workspace.settings, workspace.client, "made")


def test_an_overview_that_can_t_be_made_fails_no_command(
    turned: Turned, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copied(turned, home)
    shutil.rmtree(home / "data")
    (home / "data").write_text("no folder")
    assert publish.log(workspace.settings, workspace.client, "made") == ""
    assert "the overview could not be made: The tables under" in capsys.readouterr().err


def test_the_server_tells_why_there_is_no_overview(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://x")
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    told = OverviewPages("").page("/overview.html") or b""
    assert told.decode().startswith("The overview can't be made: MLFLOW_TRACKING_URI: 'htp://x'")
    monkeypatch.setattr("pipelines.scheduling.overview.served.DEADLINE_S", 0.01)
    told = OverviewPages("").page("/overview.html") or b""
    assert told == b"The overview can't be made: it took longer than 0.01 s"
