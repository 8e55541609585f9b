import json
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from typer.testing import CliRunner

from contract.errors import Unavailable
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import frozen
from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from monitoring.__main__ import main
from monitoring.monitor import Monitored, monitor
from monitoring.report.history import read_document
from monitoring.windows.versions import live_version, read_served
from monitoring.windows.window import WindowRequest, read_day
from pipelines.main import Outcome
from pipelines.package import seal
from tests.conftest import MADE, made_use_case
from tests.support import monitored as made
from tracking.tags import PACKAGE_TAG

DAY = 1440  # rows, one a minute


def watch(home: Path, use_case: UseCase, start: str = "", end: str = "") -> Monitored:
    asked = WindowRequest(read_day("from", start), read_day("until", end))
    return monitor(use_case, read_settings(str(home / "data")), asked)[0]


def read_version(client: MlflowClient, tables: Tables) -> object:
    return read_served(client, made_use_case(Path()), "1").reference


def run_of(client: MlflowClient, monitored: Monitored) -> Run:
    return client.get_run(monitored.run_id)


def artifacts(client: MlflowClient, monitored: Monitored) -> set[str]:
    folders = ("", "evidently")
    return {f.path for d in folders for f in client.list_artifacts(monitored.run_id, d)}


def test_a_page_says_where_a_sample_speaks_for_all_rows(
    client: MlflowClient,
    home: Path,
    use_case: UseCase,
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made.answer(tables, use_case, made.rows(DAY, 1, "2024-02-01"))
    whole = watch(home, use_case, "2024-02-01", "2024-02-02")
    assert f"on {DAY:,} rows." in mlflow.artifacts.load_text(whole.report)
    monkeypatch.setattr("monitoring.measures.observe.ANSWER_ROWS", DAY // 2)
    part = watch(home, use_case, "2024-01-31", "2024-02-02")
    assert f"of the {DAY:,} rows." in mlflow.artifacts.load_text(part.report)


def test_a_shift_is_watched_then_drift_then_over(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    for day, shift in ((1, 1.0), (2, 1.0), (3, 0.0)):
        made.answer(tables, use_case, made.rows(DAY, day, f"2024-02-0{day}", shift))
    days = [watch(home, use_case, f"2024-02-0{d}", f"2024-02-0{d + 1}") for d in (1, 2, 3)]
    assert [d.status for d in days] == ["WATCH", "DRIFT", "OK"]
    assert days[0].columns_drifted == ("size",)
    assert days[1].alarms == ("prediction", "columns:size")
    assert artifacts(client, days[1]) == {
        "evidently",
        "evidently/answers.html",
        "evidently/answers.json",
        "evidently/inputs.html",
        "evidently/inputs.json",
        "verdict.html",
        "verdict.json",
    }
    run = run_of(client, days[1])
    assert run.data.metrics["effect/size"] > 0.3
    assert run.data.tags["mlflow.note.content"].startswith("## DRIFT")
    page = mlflow.artifacts.load_text(days[1].report)
    assert page.index("DRIFT") < page.index("Drift in 2 of the last 3") < page.index("<table>")
    tags = client.get_model_version("made", "1").tags
    assert tags["monitoring"] == "OK"
    assert days[2].run_id in tags["monitoring_report"]


def test_the_timeline_holds_every_window_at_its_end(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    for day in (1, 2):
        made.answer(tables, use_case, made.rows(300, day, f"2024-02-0{day}"))
        watch(home, use_case, f"2024-02-0{day}", f"2024-02-0{day + 1}")
    made.label(tables, made.rows(300, 1, "2024-02-01"))
    watch(home, use_case, "2024-02-01", "2024-02-02")  # a second revision of the first window
    where = client.get_experiment_by_name("made/monitoring")
    assert where is not None
    (timeline,) = client.search_runs([where.experiment_id], "tags.step = 'timeline'")
    history = client.get_metric_history(timeline.info.run_id, "effect/size")
    at = [pd.Timestamp(m.timestamp, unit="ms", tz="UTC") for m in history]
    known = sorted((m.step, str(t.date())) for m, t in zip(history, at, strict=True))
    assert known == [(1, "2024-02-02"), (2, "2024-02-03")]  # an equal figure stands once


def test_labels_that_come_late_make_a_new_revision(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    rows = made.rows(600, 1)
    made.answer(tables, use_case, rows)
    early = watch(home, use_case)
    made.label(tables, rows)
    late = watch(home, use_case)
    again = watch(home, use_case)
    assert (early.revision, late.revision) == (1, 2)
    assert (again.already, again.run_id) == (True, late.run_id)
    assert run_of(client, early).data.tags["followed_by"] == late.run_id
    before, after = (run_of(client, m).data.metrics for m in (early, late))
    assert "realised/roc_auc" not in before
    assert after["label_coverage"] == 1
    assert after["estimated/roc_auc"] == before["estimated/roc_auc"]
    assert after["estimate_error/roc_auc"] == pytest.approx(
        after["estimated/roc_auc"] - after["realised/roc_auc"]
    )
    assert abs(after["estimate_error/roc_auc"]) < 0.05


def test_labels_that_turned_round_are_a_fall_of_performance(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    rows = made.rows(600, 1)
    made.answer(tables, use_case, rows)
    made.label(tables, rows.assign(late=~rows["late"]))
    found = watch(home, use_case)
    assert found.signals == ("performance",)
    assert "roc_auc is 0.1" in " ".join(found.reasons)


def test_a_run_that_dies_before_its_end_is_done_again_with_timeline_and_tags(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    made.answer(tables, use_case, made.rows(20, 1))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "set_model_version_tag", die)
        with pytest.raises(KeyboardInterrupt):
            watch(home, use_case)
    assert "monitoring" not in client.get_model_version("made", "1").tags
    found = watch(home, use_case)
    tags = client.get_model_version("made", "1").tags
    assert (found.already, found.revision, tags["monitoring"]) == (False, 1, "NOT_ENOUGH_DATA")
    assert found.run_id in tags["monitoring_report"]
    (timeline,) = client.search_runs([found.experiment_id], "tags.step = 'timeline'")
    rows = client.get_metric_history(timeline.info.run_id, "rows")
    assert [(m.value, m.step) for m in rows] == [(20, 1)]


def test_mlflow_away_in_the_middle_is_said_and_is_for_later(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    made.answer(tables, use_case, made.rows(20, 1))

    def spoil(line: str) -> None:
        if line.startswith("judging"):
            (home / "mlflow.db").write_bytes(b"no database any more" * 1000)

    with pytest.raises(Unavailable, match="store is damaged") as raised:
        monitor(use_case, read_settings(str(home / "data")), WindowRequest(), say=spoil)
    assert raised.value.exit_code == 3


def test_a_report_that_cannot_be_read_stops_no_later_run(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    for day in (1, 2):
        made.answer(tables, use_case, made.rows(40, day, f"2024-02-0{day}", 1.0))
    lost = watch(home, use_case, "2024-02-01", "2024-02-02")
    (file,) = home.rglob(f"{lost.run_id}/artifacts/verdict.json")
    file.unlink()
    second = watch(home, use_case, "2024-02-02", "2024-02-03")
    assert second.status == "WATCH"  # of the first window nothing is known
    again = watch(home, use_case, "2024-02-01", "2024-02-02")
    assert (again.already, again.revision) == (False, 2)
    assert watch(home, use_case, "2024-02-02", "2024-02-03").status == "DRIFT"


def test_windows_that_overlap_count_once(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    policy = use_case.monitoring.model_copy(update={"alarm_windows": 3})
    strict = use_case.model_copy(update={"monitoring": policy})
    for day in (1, 2):
        made.answer(tables, use_case, made.rows(40, day, f"2024-02-0{day}", 1.0))
    asked = (("02-01", "02-02"), ("01-31", "02-02"), ("02-02", "02-03"))
    found = [watch(home, strict, f"2024-{start}", f"2024-{end}") for start, end in asked]
    assert [m.status for m in found] == ["WATCH", "WATCH", "WATCH"]


def test_rows_of_a_window_that_has_not_ended_are_said_and_not_judged(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    said: list[str] = []
    for day in (1, 2):
        made.answer(tables, use_case, made.rows(40, day, f"2024-02-0{day}"))
    now, settings = datetime(2024, 2, 2, 12, tzinfo=UTC), read_settings(str(home / "data"))
    (found,) = monitor(use_case, settings, WindowRequest(), say=said.append, now=now)
    assert found.rows == 40
    assert said[0] == (
        "not judged unless asked for by --from and --until: 2024-02-02 to 2024-02-03 holds 40 "
        "rows, and has not ended"
    )


@pytest.mark.parametrize("ask", [live_version, read_version])
def test_a_store_that_is_damaged_by_now_is_told(
    client: MlflowClient,
    home: Path,
    use_case: UseCase,
    tables: Tables,
    ask: Callable[[MlflowClient, Tables], object],
) -> None:
    assert ask(client, tables)
    (home / "mlflow.db").write_bytes(b"no database any more" * 1000)
    with pytest.raises(Unavailable, match="store is damaged"):
        ask(client, tables)


def test_two_runs_on_one_window_make_one_report(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    made.answer(tables, use_case, made.rows(300, 1))
    found: list[Monitored] = []
    both = [threading.Thread(target=lambda: found.append(watch(home, use_case))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(m.already for m in found) == [False, True]
    assert found[0].run_id == found[1].run_id
    where = client.get_experiment_by_name("made/monitoring")
    assert where is not None
    assert len(client.search_runs([where.experiment_id], "tags.step = 'monitor'")) == 1


def test_each_version_that_answered_gets_its_report_the_champion_s_first(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    made.answer(tables, use_case, made.rows(200, 1), version="1")
    made.answer(tables, use_case, made.rows(400, 2), version="7")
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest())
    assert [(m.version, m.status, m.rows) for m in found] == [
        ("1", "OK", 200),
        ("7", "NO_REFERENCE", 400),
    ]


BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, str]] = {
    "only nulls": (lambda rows: rows.assign(size=np.nan), "WATCH", "only nulls in the window"),
    "infinite": (
        lambda rows: rows.assign(size=rows["size"].where(rows.index % 2 == 0, np.inf)),
        "WATCH",
        "150 infinite values in the window",
    ),
    "constant": (lambda rows: rows.assign(colour="red"), "WATCH", "one value in all rows"),
    "as many words as rows": (
        lambda rows: rows.assign(group=[f"g{i}" for i in rows.index]),
        "WATCH",
        "",
    ),
    "few rows": (lambda rows: rows.head(29), "NOT_ENOUGH_DATA", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_column_costs_only_itself(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables, name: str
) -> None:
    spoil, state, note = BAD[name]
    made.answer(tables, use_case, spoil(made.rows(300, 1)))
    found = watch(home, use_case)
    document = read_document(run_of(client, found))
    assert found.status == state
    assert note in " ".join(document["notes"].values())
    assert document["columns"]["group"]["rows"] == found.rows


def test_a_missing_and_a_retyped_column_are_a_changed_schema(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    retyped = use_case.columns["size"].model_copy(
        update={"type": "string", "min": None, "max": None}
    )
    columns = {n: c for n, c in use_case.columns.items() if n != "colour"} | {"size": retyped}
    other = use_case.model_copy(update={"columns": columns})
    rows = made.rows(300, 1)
    made.answer(tables, other, rows.assign(size=rows["size"].astype(str)))
    found = watch(home, use_case)
    notes = read_document(run_of(client, found))["notes"]
    assert found.status == "SCHEMA_CHANGED"
    assert notes == {"colour": "colour is missing", "size": "size is string, was number"}
    assert "effect/group" in run_of(client, found).data.metrics


def test_a_window_without_rows_and_one_without_a_table(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    assert watch(home, use_case).status == "NO_DATA"
    made.answer(tables, use_case, made.rows(300, 1))
    found = watch(home, use_case, "2023-01-01", "2023-02-01")
    assert (found.status, found.rows) == ("NO_DATA", 0)


def test_the_command_says_what_it_found(
    trained: tuple[Path, Outcome], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{trained[0]}/mlflow.db")
    app = typer.Typer()
    app.command()(main)
    options = ["--use-case", "penguins", "--root", str(home / "tables"), "--json", "yes"]
    first, again = (CliRunner().invoke(app, options) for _ in range(2))
    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    assert json.loads(first.stdout)["status"] == "NO_DATA"
    assert "reported before, not again" in again.stderr


def test_what_the_log_hides_is_not_judged(
    client: MlflowClient, home: Path, store: Path, tables: Tables
) -> None:
    hidden = {
        "group": Column(type="string", personal=True, log="drop"),
        "colour": Column(type="string", personal=True),
    }
    columns = made_use_case(home).columns | hidden
    use_case = made_use_case(home, {"columns": columns})
    package = home / "package"
    shutil.copytree(store / "package", package)
    (package / "use_case.yaml").write_text(frozen(use_case), encoding="utf-8")
    tags = {PACKAGE_TAG: seal(package)}
    version = str(client.create_model_version(use_case.name, package.as_uri(), tags=tags).version)
    asked = made.rows(DAY, 1)
    asked["colour"] = "0123456789abcdef0123456789abcdef"
    made.answer(tables, use_case, asked, version)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest(), version)[0]
    assert (found.status, found.columns_drifted) == ("OK", ())
    metrics = run_of(client, found).data.metrics
    assert "effect/size" in metrics
    assert not {"effect/colour", "effect/group"} & set(metrics)


def test_a_version_of_before_a_key_was_retired_is_judged_by_its_own_columns(
    client: MlflowClient, home: Path, store: Path, use_case: UseCase, tables: Tables
) -> None:
    package = home / "package"
    shutil.copytree(store / "package", package)
    declared = yaml.safe_load((package / "use_case.yaml").read_text(encoding="utf-8"))
    declared["evaluation"]["threshold"] = 0.4
    (package / "use_case.yaml").write_text(yaml.safe_dump(declared), encoding="utf-8")
    tags = {PACKAGE_TAG: seal(package)}
    version = str(client.create_model_version(use_case.name, package.as_uri(), tags=tags).version)
    made.answer(tables, use_case, made.rows(DAY, 1), version)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest(), version)[0]
    assert found.status == "OK"


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("reference", "the package lacks reference"),
        ("reference/figures.json", "differing: reference/figures.json"),
    ],
)
def test_a_package_that_lost_a_part_is_said_and_its_version_counted(
    client: MlflowClient,
    home: Path,
    store: Path,
    tables: Tables,
    caplog: pytest.LogCaptureFixture,
    part: str,
    said: str,
) -> None:
    use_case, package = made_use_case(home), home / "package"
    shutil.copytree(store / "package", package)
    tags = {PACKAGE_TAG: seal(package)}
    version = str(client.create_model_version(use_case.name, package.as_uri(), tags=tags).version)
    (package / part).rename(home / "lost")
    made.answer(tables, use_case, made.rows(40, 1), version)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest(), version)[0]
    assert (found.status, found.rows) == ("NO_REFERENCE", 40)
    assert f"version {version} is not judged: " in caplog.text
    assert said in caplog.text
    assert client.get_model_version("made", version).tags["monitoring"] == "NO_REFERENCE"


def test_a_reference_that_is_not_the_registered_one_judges_nothing(
    client: MlflowClient,
    home: Path,
    store: Path,
    tables: Tables,
    caplog: pytest.LogCaptureFixture,
) -> None:
    use_case, package = made_use_case(home), home / "package"
    shutil.copytree(store / "package", package)
    tags = {PACKAGE_TAG: seal(package)}
    version = str(client.create_model_version(use_case.name, package.as_uri(), tags=tags).version)
    (package / "reference" / "figures.json").write_text('{"roc_auc": 0.1}')
    seal(package)
    made.answer(tables, use_case, made.rows(DAY, 1), version)
    found = monitor(use_case, read_settings(str(home / "data")), WindowRequest(), version)[0]
    assert found.status == "NO_REFERENCE"
    assert "not the one that was registered" in caplog.text


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, in Evidently
def test_evidently_fails_and_the_report_is_made_all_the_same(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables
) -> None:
    rows = made.rows(300, 1)
    rows.loc[:1, "size"] = [1.7e308, -1.7e308]  # finite; their difference is not
    made.answer(tables, use_case, rows)
    found = watch(home, use_case)
    document = read_document(run_of(client, found))
    assert (found.status, document["columns"]["size"]["rows"]) == ("OK", 300)
    assert list(document["evidently"]["left_out"]) == ["page inputs"]
    assert "Evidently failed: ValueError" in document["evidently"]["left_out"]["page inputs"]
    assert "evidently/inputs.json" not in artifacts(client, found)
    assert "evidently/answers.json" in artifacts(client, found)
    assert "They lack page inputs (Evidently failed" in mlflow.artifacts.load_text(found.report)


@pytest.mark.parametrize(("shift", "code"), [(0.0, 0), (1.0, 1)])
def test_fail_on_drift_ends_with_one_on_drift_and_zero_without(
    client: MlflowClient, home: Path, use_case: UseCase, tables: Tables, shift: float, code: int
) -> None:
    at_once = MADE.replace("min_rows: 30,", "min_rows: 30, alarm_windows: 1, of_last: 1,")
    (home / "made.yaml").write_text(at_once, encoding="utf-8")
    made.answer(tables, use_case, made.rows(DAY, 1, shift=shift))
    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, ["--use-case", "made.yaml", "--fail-on", "drift"])
    assert done.exit_code == code, done.output
    assert ("DRIFT: version 1" in done.stderr) == bool(code)
    without = CliRunner().invoke(app, ["--use-case", "made.yaml"])
    assert without.exit_code == 0, without.output
