"""Answers for whole tables and files: from any source to any target, each of them once."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from contract.errors import BadInput, Refused
from contract.store.sql import answer
from contract.use_case.loader import parse_use_case
from pipelines.forget import forget
from pipelines.runtime.workspace import Workspace
from pipelines.scheduling.due import JobState
from pipelines.scheduling.state_files import JobStates
from pipelines.score import ScoredRows, score
from pipelines.scoring.answers import answer_schema
from tests.support import batch
from tests.support.project import PROJECT
from tests.support.small import Registry

N_ROWS = 10_100  # two parts


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    folder = tmp_path_factory.mktemp("orders")
    batch.make_registry(folder, empty_store)
    return folder


@pytest.fixture
def orders(made: Path, home: Path) -> Workspace:
    """A store and tables of the test's own, and a file of rows."""
    batch.rows(N_ROWS).to_parquet(home / "rows.parquet", index=False)
    return batch.copied(made, home)


def answered(workspace: Workspace, **options: Any) -> ScoredRows:
    return score(workspace, **options).result


def ids(rows: pa.Table) -> list[str]:
    found: list[str] = rows.column("prediction_id").to_pylist()
    return found


def lake(path: str, column: str) -> list[Any]:
    """A column of a Delta table."""
    rows = answer(f"SELECT {column} FROM t", {"t": DeltaTable(path)})
    found: list[Any] = rows[column].to_pylist()
    return found


def test_every_kind_of_source_gives_the_same_answers(orders: Workspace, home: Path) -> None:
    rows = batch.rows(50)
    (home / "parts/day=1").mkdir(parents=True)
    rows.to_parquet(home / "parts/day=1/a.parquet", index=False)
    rows.to_csv(home / "rows.csv", index=False)
    rows.to_json(home / "rows.jsonl", orient="records", lines=True, date_format="iso")
    write_deltalake(home / "lake", pa.Table.from_pandas(rows.head(20)))
    write_deltalake(home / "lake", pa.Table.from_pandas(rows.tail(30)), mode="append")
    orders.tables.append("raw", pa.Table.from_pandas(rows))
    sources = ("parts", "rows.csv", "rows.jsonl", "lake", "raw")
    found = []
    for source in sources:
        done = answered(orders, source=source, target=f"{source}.answers.parquet")
        assert done.rows == 50
        table = pq.read_table(done.target).sort_by("id").drop_columns("prediction_id")
        found.append(table.to_pylist())
    assert all(one == found[0] for one in found)
    older = answered(orders, source="lake", target="older.csv", source_version="0")
    assert (older.rows, older.source) == (20, f"{home}/lake@0")


@pytest.mark.parametrize("target", ["answers.csv", "answers/", "answers"])
def test_the_same_job_again_changes_nothing(orders: Workspace, home: Path, target: str) -> None:
    def stands() -> list[tuple[str, int]]:
        return sorted(
            (str(path), path.stat().st_mtime_ns) for path in home.glob("answers*/**/*")
        ) + sorted((str(path), path.stat().st_mtime_ns) for path in home.glob("answers*.*"))

    first = answered(orders, source="rows.parquet", target=target, log=True)
    before = stands()
    assert before
    again = answered(orders, source="rows.parquet", target=target, log=True)
    assert (first.again, again.again) == (False, True)
    assert (first.logged, again.logged) == (N_ROWS, 0)
    assert (stands(), again.rows, again.job) == (before, N_ROWS, first.job)
    assert orders.tables.read("predictions").num_rows == N_ROWS


def test_a_delta_table_gathers_jobs_and_a_file_holds_the_newest(
    orders: Workspace, home: Path
) -> None:
    for day in (0, 1):
        batch.rows(100, first=day * 100).to_parquet(home / f"{day}.parquet")
        answered(orders, source=f"{day}.parquet", target="lake")
        answered(orders, source=f"{day}.parquet", target="file.parquet")
    assert sorted(lake("lake", "id")) == list(range(200))
    assert pq.read_table("file.parquet")["id"].to_pylist() == list(range(100, 200))


def test_logged_answers_are_those_of_the_target(orders: Workspace, home: Path) -> None:
    done = answered(orders, source="rows.parquet", target="answers.parquet", log=True)
    table, logged = pq.read_table(done.target), orders.tables.read("predictions")
    by_id = {row["prediction_id"]: row for row in logged.to_pylist()}
    assert len(by_id) == N_ROWS
    assert sorted(by_id) == sorted(ids(table))
    for row in table.slice(0, 200).to_pylist():
        same = by_id[row["prediction_id"]]
        assert (same["id"], same["prediction"], same["version"]) == (
            row["id"],
            row["prediction"],
            "1",
        )
        assert same["probability"] == [row["probability_a"], row["probability_b"]]
    one = by_id[ids(table)[0]]
    request = UUID(one["request_id"])
    assert (request.version, request.variant) == (7, "specified in RFC 4122")
    assert request.int >> 80 == int(one["logged_time"].timestamp() * 1000)
    assert (one["source"], one["latency_ms"], one["key_id"]) == ("batch", None, None)


def test_logging_later_and_another_target_give_the_same_ids(orders: Workspace, home: Path) -> None:
    answered(orders, source="rows.parquet", target="first.parquet")
    assert not orders.tables.exists("predictions")
    answered(orders, source="rows.parquet", target="first.parquet", log=True)
    answered(orders, source="rows.parquet", target="second.parquet", log=True)
    told = ids(orders.tables.read("predictions"))
    assert len(told) == len(set(told)) == N_ROWS
    assert ids(pq.read_table("first.parquet")) == ids(pq.read_table("second.parquet"))
    assert sorted(told) == sorted(ids(pq.read_table("first.parquet")))


def test_another_version_or_content_is_another_job(orders: Workspace, home: Path) -> None:
    first = answered(orders, source="rows.parquet", target="answers", log=True)
    batch.rows(10).to_parquet(home / "rows.parquet", index=False)
    second = answered(orders, source="rows.parquet", target="answers", log=True)
    Registry(orders.client, "orders", orders.tables).promote(batch.package(home, "second", "abab"))
    third = answered(orders, source="rows.parquet", target="answers", log=True)
    assert len({first.job, second.job, third.job}) == 3
    assert (third.version, third.logged) == ("2", 10)
    versions = lake("answers", "version")
    assert (versions.count("1"), versions.count("2")) == (N_ROWS + 10, 10)


def test_rows_that_do_not_fit_stop_it_or_are_set_apart(orders: Workspace, home: Path) -> None:
    rows = batch.rows(N_ROWS)
    rows.loc[10_050, "size"] = None
    rows.to_parquet("rows.parquet", index=False)
    with pytest.raises(Refused, match=r"rows.parquet: Row 10050, column 'size': number expected"):
        answered(orders, source="rows.parquet", target="answers.csv", log=True)
    assert not orders.tables.exists("predictions")
    assert [path.name for path in home.glob("*answers*")] == []
    done = answered(
        orders, source="rows.parquet", target="answers.csv", log=True, bad_rows="quarantine"
    )
    assert (done.rows, done.quarantined, done.logged) == (N_ROWS - 1, 1, N_ROWS - 1)
    (bad,) = pyarrow.csv.read_csv("answers.quarantine.csv").to_pylist()
    assert (bad["row"], bad["reason"]) == (10_050, "column 'size': number expected, found null.")
    assert "10050" not in pd.read_csv("answers.csv")["id"].astype(str).tolist()
    batch.rows(20).to_parquet("rows.parquet", index=False)
    answered(orders, source="rows.parquet", target="answers.csv", bad_rows="quarantine")
    assert not (home / "answers.quarantine.csv").exists()


def test_what_is_unusual_is_flagged_and_a_personal_key_is_hashed_in_the_log(
    orders: Workspace, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOURCYCLE_LOG_SECRET", "a long random text")
    personal = batch.DECLARED.replace("id: {type: integer}", "id: {type: integer, log: hash}")
    (home / "orders.yaml").write_text(personal)
    Registry(orders.client, "orders", orders.tables).promote(batch.package(home, "second", "abab"))
    rows = batch.rows(20)
    rows.loc[0, "size"], rows.loc[0, "moment"] = 25.0, datetime(2100, 1, 1, tzinfo=UTC)
    rows.to_parquet("rows.parquet", index=False)
    done = answered(batch.opened(home), source="rows.parquet", target="answers.parquet", log=True)
    table, logged = pq.read_table(done.target), orders.tables.read("predictions")
    assert done.flags == {"out_of_range:size": 1, "out_of_range:moment": 1}
    assert table["flags"].to_pylist() == ["out_of_range:size out_of_range:moment", *[""] * 19]
    by_id = {row["prediction_id"]: row for row in logged.to_pylist()}
    one = by_id[ids(table)[0]]
    assert " ".join(one["flags"]) == table["flags"][0].as_py()
    assert table["id"].to_pylist() == list(range(20))
    assert len({row["id"] for row in by_id.values()}) == 20
    assert len(one["id"]) >= 32  # a hash, where the answer has the number
    done_with = forget(batch.opened(home), "3").result
    assert done_with.rows["predictions"] == 1
    assert "rows whose key was hashed with another secret" in done_with.unreachable
    (home / "orders.yaml").write_text(personal.replace("hash", "drop"))
    assert "predictions and feedback, also of earlier: the log leaves out id" in (
        forget(batch.opened(home), "4").result.unreachable
    )


def test_a_column_of_the_answers_is_no_name_of_a_key(home: Path) -> None:
    text = batch.DECLARED.replace("  id:", "  probability_b:").replace("[id]", "[probability_b]")
    use_case = parse_use_case(text, "orders.yaml", home)
    with pytest.raises(Refused, match="probability_b is a key or the event time, and a column of"):
        answer_schema(use_case, ("a", "b"))


def test_a_cell_of_a_csv_that_can_t_be_read_is_set_apart_and_too_many_stop_it(
    orders: Workspace, home: Path
) -> None:
    rows = batch.rows(40).astype({"size": object})
    rows.loc[[3, 7], "size"] = ["heavy", "light"]
    rows.to_csv("rows.csv", index=False)
    with pytest.raises(Refused, match=r"column 'size', line 5: number expected"):
        answered(orders, source="rows.csv", target="answers")
    done = answered(orders, source="rows.csv", target="answers", bad_rows="quarantine")
    assert (done.rows, sorted(lake("answers_quarantine", "row"))) == (38, [3, 7])
    assert not any("heavy" in reason for reason in lake("answers_quarantine", "reason"))
    rows["size"] = "heavy"
    rows.to_csv("rows.csv", index=False)
    with pytest.raises(Refused, match="40 of 40 rows do not fit, more than max_quarantined_share"):
        answered(orders, source="rows.csv", target="answers", bad_rows="quarantine")


def test_a_damaged_file_leaves_the_old_answers(orders: Workspace, home: Path) -> None:
    answered(orders, source="rows.parquet", target="answers.parquet")
    before = (home / "answers.parquet").read_bytes()
    content = bytearray((home / "rows.parquet").read_bytes())
    content[2_000:40_000] = bytes(38_000)
    (home / "rows.parquet").write_bytes(content)
    with pytest.raises((Refused, BadInput), match=r"rows\.parquet"):
        answered(orders, source="rows.parquet", target="answers.parquet")
    assert (home / "answers.parquet").read_bytes() == before
    assert list(home.glob(".*")) == []


def test_what_the_use_case_declares_is_what_runs(orders: Workspace, home: Path) -> None:
    declared = {
        "batch": {"source": {"parquet": "rows.parquet"}, "target": "out/", "cron": "0 3 * * *"}
    }
    (home / "out").mkdir()
    batch.declare(home, json.dumps(declared)[1:-1])
    done = answered(batch.opened(home))
    assert (done.rows, done.logged) == (N_ROWS, N_ROWS)
    assert Path(done.target).parent == home / "out"


def test_the_scheduler_runs_it_and_catches_up_once(orders: Workspace, home: Path) -> None:
    batch.declare(
        home, 'batch: {source: {parquet: rows.parquet}, target: lake, cron: "0 3 * * *"}\n'
    )
    states = JobStates.of(orders.settings, "orders")
    missed = datetime.now(UTC) - timedelta(days=4)
    states.write("batch", JobState(done=missed, tried=missed))
    command = [sys.executable, "-m", "pipelines.schedule", "--use-case", "orders.yaml"]
    done = subprocess.run(
        [*command, "--once", "yes", "--json", "yes"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)["jobs"]["batch"]
    assert (job["outcome"], job["due"], job["cron"]) == ("done", False, "0 3 * * *")
    assert done.stderr.count("done, commands run: 1") == 1
    assert len(lake("lake", "id")) == orders.tables.read("predictions").num_rows == N_ROWS
