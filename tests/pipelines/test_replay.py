"""A small time once more: everything once, late labels, a known fall; killed and gone on with."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import numpy as np
import psutil
import pyarrow as pa
import pytest
from mlflow.entities import Run
from playwright.sync_api import sync_playwright

from contract.errors import BadInput, Refused
from contract.settings import read_settings
from contract.store.labels import label_tables, labels_sql
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from monitoring.report.history import read_document
from pipelines.data.after_holdout import Days
from pipelines.data.rehearsal import Rehearsal
from pipelines.main import pipeline
from pipelines.replay import STEPS, main
from pipelines.replaying.progress import ReplayRetraining, WindowProgress
from pipelines.replaying.timeline import TimelineEvent
from pipelines.replaying.window_steps import (
    ReplayContext,
    label_mean,
    play,
    retrain_as_of,
    statements,
)
from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import open_workspace
from pipelines.validate import newest_valid
from tests.conftest import MADE, copy_world, deliver, made_use_case, settle
from tests.serving.http.test_status_page import ARGUMENTS, CHROMIUM
from tests.support import monitored as made
from tests.support.accessibility import findings
from tracking.store import connect

WEEK = 504  # rows, one every 20 minutes
ASKED = 300  # of them
CHANGES = {
    "split: {by: time, holdout_share: 0.25}": "split: {by: time, train_until: 2024-01-08, "
    "holdout_until: 2024-01-15}",
    "reference_rows: 100}": "reference_rows: 500, every: week}\nretraining: {min_labels: 200}",
}


def declare(folder: Path) -> None:
    """Four weeks; from the third on, which is replayed, labels follow from nothing."""
    text = MADE
    for was, now in CHANGES.items():
        assert was in text
        text = text.replace(was, now)
    (folder / "made.yaml").write_text(text, encoding="utf-8")
    rows = made.rows(4 * WEEK, 1, "2024-01-01").drop(columns="chance")
    rows["moment"] = rows["moment"].iloc[0] + 20 * (rows["moment"] - rows["moment"].iloc[0])
    late = rows["late"].to_numpy()
    late[2 * WEEK :] = np.random.default_rng(0).random(2 * WEEK) < 0.5
    deliver(folder, rows.assign(late=late))


def start_replay() -> "subprocess.Popen[bytes]":
    options = ("--use-case", "made.yaml", "--rows", str(ASKED), "--label-lag-days", "3")
    command = [sys.executable, "-m", "pipelines.replay", *options]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def again(rows: int = ASKED, picture: str = "", story: str = "") -> None:
    main("made.yaml", rows=str(rows), label_lag_days="3", picture=picture, story=story)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a replay of two weeks that was killed in the second one and gone on with."""
    folder = tmp_path_factory.mktemp("replay")
    with pytest.MonkeyPatch.context() as patch:
        settle(folder, patch)
        patch.setenv("PYTHONPATH", str(PROJECT))
        declare(folder)
        with open_workspace("made.yaml") as opened:
            pipeline(opened, Rehearsal(), tune=0)
        killed = start_replay()
        left = service_of(killed, week=2)
        killed.kill()
        killed.wait()
        assert left.is_running()
        again(picture="weeks.png")
        assert not left.is_running()
        yield folder


def service_of(replay: "subprocess.Popen[bytes]", week: int) -> psutil.Process:
    """The service that a replay has started for a week's traffic."""
    note, met = Path("data/.locks/made.replay.service"), list[str]()
    deadline = time.monotonic() + 300
    while len(met) < week:
        assert replay.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
        found = note.read_text() if note.exists() else ""
        if found and found not in met:
            met.append(found)
    return psutil.Process(int(met[-1].split(":")[1]))


@pytest.fixture
def tables(lived: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    monkeypatch.chdir(lived)
    return Tables(str(lived / "data"), "made")


@pytest.fixture
def runs(lived: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs of monitoring, the oldest first."""
    monkeypatch.chdir(lived)
    connect(read_settings())
    found: list[Run] = mlflow.search_runs(
        experiment_names=["made/monitoring"], output_format="list", order_by=["start_time"]
    )
    return found


def of(runs: Sequence[Run], step: str) -> list[Run]:
    return [run for run in runs if run.data.tags.get("step") == step]


def test_every_row_and_every_label_is_there_once(tables: Tables) -> None:
    answered = tables.read("predictions").column("id").to_pylist()
    assert (len(answered), len(set(answered))) == (2 * ASKED, 2 * ASKED)
    said = tables.read("feedback").column("id").to_pylist()
    assert sorted(said) == sorted(answered)
    labels = tables.query(labels_sql(["id"]), **label_tables(tables))
    assert set(labels.column("revision").to_pylist()) == {1}


def test_every_week_is_reported_on_and_once_more_with_its_labels(runs: list[Run]) -> None:
    reports = of(runs, "monitor")
    found = [(r.data.tags["window_start"][:10], r.data.tags["revision"]) for r in reports]
    assert found == [(d, revision) for d in ("2024-01-15", "2024-01-22") for revision in "12"]
    coverage = [r.data.metrics.get("label_coverage") for r in reports]
    assert coverage == [None, 1, None, 1]
    for early, late in ((reports[0], reports[1]), (reports[2], reports[3])):
        estimated = [r.data.metrics["estimated/roc_auc"] for r in (early, late)]
        assert estimated == [estimated[0]] * 2
        assert estimated[0] > 0.8
        assert late.data.metrics["realised/roc_auc"] < 0.6


def test_the_known_fall_is_found_when_its_labels_come_and_no_column_is_blamed(
    runs: list[Run],
) -> None:
    documents = [read_document(run)["verdict"] for run in of(runs, "monitor")]
    assert [d["signals"] for d in documents] == [[], ["performance"]] * 2
    assert [d["state"] for d in documents] == ["OK", "WATCH", "OK", "DRIFT"]
    assert "the rest shows only in the labels" in " ".join(documents[-1]["reasons"])


def test_the_run_tells_all_of_it(lived: Path, runs: list[Run]) -> None:
    (run,) = of(runs, "replay")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["realised/roc_auc"] < 0.6
    assert run.data.tags["mlflow.note.content"].count("\n") == 5  # first of all a headline
    seen = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/replay.json")["seen"]
    assert sum(week["sent"] for week in seen) <= 2 * ASKED
    assert [week["labels"] for week in seen] == [ASKED] * 2
    assert [week["cures"] for week in seen] == [
        [],
        [{"at": "2024-02-01", "state": "RETRAIN", "version": "2", "live": False}],
    ]
    assert (lived / "weeks.png").read_bytes()[:4] == b"\x89PNG"


def test_a_candidate_of_a_replay_that_was_killed_before_it_noted_it_is_found(
    lived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lived)
    use_case = load_use_case("made.yaml")
    context = ReplayContext(
        "made.yaml", use_case, read_settings(), "", pa.table({}), None, 3, True, STEPS
    )
    event = TimelineEvent(date(2024, 2, 1), "labels", Days(date(2024, 1, 22), date(2024, 1, 29)))
    unnoted = WindowProgress(start=event.window.start, end=event.window.end)
    found = ReplayRetraining(at=event.at, state="RETRAIN", version="2", live=False)
    assert retrain_as_of(context, event, unnoted, noted=()).cures == (found,)
    assert retrain_as_of(context, event, unnoted, noted={"2"}).cures == ()


def test_again_it_does_nothing_and_otherwise_it_is_refused(tables: Tables) -> None:
    before = tables.version("predictions"), tables.version("feedback")
    again()
    with pytest.raises(BadInput, match="seen a replay with rows 300"):
        again(rows=5)
    with pytest.raises(BadInput, match=r"No rows from 2024-01-15 on, .*to 2024-01-14"):
        main("made.yaml", until="2024-01-15")
    assert (tables.version("predictions"), tables.version("feedback")) == before


def test_the_first_version_is_asked_what_it_would_have_reached(lived: Path, home: Path) -> None:
    copy_world(lived, home)
    for name in ("made.yaml", "rows.csv"):
        shutil.copy(lived / name, home / name)
    use_case = load_use_case("made.yaml")
    with open_workspace("made.yaml") as workspace:
        _, valid = newest_valid(workspace)
    context = ReplayContext(
        "made.yaml", use_case, read_settings(), "", valid, ASKED, 3, False, STEPS
    )
    event = TimelineEvent(date(2024, 2, 1), "labels", Days(date(2024, 1, 22), date(2024, 1, 29)))
    before = WindowProgress(start=event.window.start, end=event.window.end, version="1")
    learned = play(context, event, before, first_version="2")
    assert learned.labels == ASKED
    assert learned.first_version is not None and 0 < learned.first_version < 1
    assert play(context, event, before, first_version="1").first_version is None


def test_the_story_tells_what_was_promised_and_found(lived: Path, runs: list[Run]) -> None:
    (run,) = of(runs, "replay")
    page = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/story.html")
    assert page.count(">kept<") == 7
    assert "A promise broke" not in page
    assert f"<td>{2 * ASKED}</td><td>{2 * ASKED}</td>" in page
    assert f"{2 * ASKED} rows were asked in 2 requests" in page
    assert "Retraining because of 2024-01-22: version 2 refused on 2024-02-01" in page
    assert "DRIFT, alarm (performance)" in page


@pytest.mark.browser
def test_the_story_is_for_everybody(lived: Path, runs: list[Run]) -> None:
    (run,) = of(runs, "replay")
    artifacts = Path(unquote(urlsplit(run.info.artifact_uri).path))
    page = artifacts / "story.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        assert findings(browser, page.as_uri()) == []
        browser.close()


def test_a_promise_that_broke_is_told_and_ends_the_command(lived: Path, home: Path) -> None:
    copy_world(lived, home)
    for name in ("made.yaml", "rows.csv"):
        shutil.copy(lived / name, home / name)
    tables = Tables(str(home / "data"), "made")
    first = tables.read("predictions", order_by=["id"]).column("id")[0].as_py()
    tables.delete("predictions", f"id = {first}")
    with pytest.raises(Refused, match=rf"{2 * ASKED} promised, {2 * ASKED - 1} found"):
        again(story="story.html")
    page = (home / "story.html").read_text(encoding="utf-8")
    assert page.index("A promise broke") < page.index("Which version answered")


def test_without_a_champion_nobody_is_asked(stored: Path) -> None:
    use_case = made_use_case(stored)
    rows = pa.Table.from_pandas(made.rows(10, 1), preserve_index=False)
    context = ReplayContext("made.yaml", use_case, read_settings(), "", rows, None, 3, False, STEPS)
    window = Days(date(2024, 2, 1), date(2024, 3, 1))
    event = TimelineEvent(window.start, "traffic", window)
    before = WindowProgress(start=window.start, end=window.end)
    with pytest.raises(BadInput, match=r"made\.yaml has no version in Production; first: "):
        play(context, event, before, first_version="1")


def test_all_labels_are_there_on_their_day_though_clocks_go_forward(home: Path) -> None:
    days = pa.array([datetime(2024, 2, 20, tzinfo=UTC), datetime(2024, 3, 1, 4, 59, tzinfo=UTC)])
    rows = pa.table({"id": [1, 2], "moment": days, "late": [True, False]})
    york = made_use_case(home, {"time_zone": "America/New_York"})
    known = statements(rows, york, date(2024, 3, 1), 30).column("label_time").to_pylist()
    assert known == [datetime(2024, 3, 21, tzinfo=UTC), datetime(2024, 3, 31, 4, tzinfo=UTC)]


def test_what_is_not_declared_can_t_be_replayed(home: Path) -> None:
    with pytest.raises(BadInput, match=r"split\.holdout_until"):
        main("penguins")
    with pytest.raises(BadInput, match="label_lag_days"):
        main("flights", label_lag_days="soon")


@pytest.mark.parametrize(
    ("task", "labels", "mean"),
    [
        ("binary", [True, False, True, True], 0.75),
        ("regression", [1.0, 2.0], 1.5),
        ("multiclass", ["a", "b"], None),
        ("binary", [], None),
    ],
)
def test_the_labels_of_a_window_are_a_share_or_a_mean(
    home: Path, task: str, labels: list[object], mean: float | None
) -> None:
    use_case = made_use_case(home, {"task": task})
    assert label_mean(pa.table({"late": labels}), use_case) == mean
