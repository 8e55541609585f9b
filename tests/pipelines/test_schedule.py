"""The scheduler with real jobs: late labels, kills, a second scheduler, deadlines, its health."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil
import pyarrow as pa
import pytest
from filelock import FileLock

from contract.errors import BadInput
from contract.names import DELIVERY
from contract.settings import read_settings
from contract.store.tables import BROUGHT, COLLECTED, Tables
from contract.use_case.sections.schedule import Job
from pipelines.replaying.service_process import free_port
from pipelines.runtime.child_process import (
    LOG_BYTES,
    ChildResult,
    end_orphan,
    found_another,
    limit,
    run_child,
)
from pipelines.runtime.process_identity import process_identity
from pipelines.schedule import main as schedule_main
from pipelines.scheduling.jobs import JobContext, work
from tests.conftest import deliver, made_rows
from tests.support.receiver import Receiver, listening
from tests.support.scheduled import (
    WATCHED,
    answered,
    child,
    declare,
    ended,
    jobs_wait,
    known,
    label,
    marks,
    reports,
    running,
    schedule,
    until,
)


def test_late_labels_make_a_revision_of_an_old_window(home: Path, champion: Path) -> None:
    shutil.copy(champion / "mlflow.db", home)
    use_case = declare(home, **WATCHED)
    answered(home, use_case, 1)
    done = [schedule(home, "--job", "monitor")]
    label(home, 1)
    place = JobContext("made.yaml", use_case, read_settings(str(home / "data")))
    jobs: tuple[Job, ...] = ("feedback", "monitor")
    for job in jobs:
        assert len(work(job, place, marks(home, job), datetime.now(UTC)).tasks) == 1
        done.append(schedule(home, "--job", job))
        assert work(job, place, marks(home, job), datetime.now(UTC)).tasks == ()
    assert [one.returncode for one in done] == [0, 0, 0]
    assert reports(home) == [("2024-02-01 to 2024-02-02", "1"), ("2024-02-01 to 2024-02-02", "2")]


def test_a_job_that_is_killed_half_way_with_its_scheduler_is_run_again(
    home: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *")
    with jobs_wait(home):
        with running(home, free_port()) as scheduler:
            orphan = child(home)
            scheduler.kill()
            scheduler.wait()
        assert not ended(orphan)
        with running(home, free_port()) as scheduler:
            again = child(home, orphan.pid)
            assert ended(orphan)
        assert scheduler.returncode == 0
        assert ended(again)
    assert (known(home, "maintain")["done"], known(home, "maintain")["failures"]) == (None, 0)
    assert schedule(home, "--once", "yes").returncode == 0
    assert known(home, "maintain")["done"]
    assert schedule(home, "--once", "yes").stderr.strip().endswith("nothing is due")


def test_a_second_scheduler_says_so_and_health_is_told_over_http(
    home: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *", attempts=1)
    port = free_port()
    with running(home, port), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        with jobs_wait(home):
            at_work = child(home)
            for options in ((), ("--once", "yes"), ("--job", "maintain")):
                second = schedule(home, *options)
                assert (second.returncode, second.stdout) == (0, "")
                assert "Another scheduler on this host does maintain of 'made'" in second.stderr
            assert client.get("/health").json()["jobs"]["maintain"]["outcome"] == "running"
            at_work.kill()
            until(lambda: client.get("/health").status_code == 503)
        found = client.get("/health").json()["jobs"]["maintain"]
        assert (found["outcome"], found["failures"], found["well"]) == ("failed", 1, False)
        assert found["trouble"] == "ended with exit code -9"
        assert "ended with exit code -9" in client.get("/").text
        well = 'fourcycle_job_well{job="maintain",use_case="made"} 0.0'
        assert well in client.get("/metrics").text.splitlines()
        assert client.get("/other").status_code == 404


def test_a_deadline_ends_a_job_and_exit_code_and_alert_say_so(
    home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, maintain="0 4 * * *", attempts=2, retry_s=0.1, deadline_s=0.2)
    with listening(Receiver()) as receiver:  # a command takes longer to start than its deadline
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", receiver.url)
        done = schedule(home, "--once", "yes", "--json", "yes")
    (told,) = receiver.got  # once, after the last attempt
    assert "The job maintain failed 2 times in a row" in told.body.decode()
    assert done.returncode == 1
    assert "was stopped after 0.2 s, its deadline" in done.stderr
    found = json.loads(done.stdout)["jobs"]["maintain"]
    assert (found["failures"], found["well"]) == (2, False)


@pytest.mark.parametrize("job", ["maintain", "pipeline"])
def test_work_that_another_process_does_is_no_failure_and_is_left_for_later(
    home: Path, empty_store: Path, job: str
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, attempts=1, **{job: "0 4 * * *"})
    deliver(home, made_rows())
    (home / "data/.locks").mkdir(parents=True)
    with FileLock(home / "data/.locks/made.lock"):
        done = schedule(home, "--job", job)
    assert done.returncode == 3
    assert "another process is at this work: Another pipeline works on 'made'" in done.stderr
    assert known(home, job)["failures"] == 0


def test_a_delivery_that_is_refused_fails_the_job_and_people_hear_of_it(
    home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, pipeline="0 4 * * *", attempts=1)
    deliver(home, made_rows().drop(columns="size"))
    with listening(Receiver()) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", receiver.url)
        assert schedule(home, "--job", "pipeline").returncode == 1
    assert known(home, "pipeline")["failures"] == 1
    told = [json.loads(d.body)["text"].partition(".")[0] for d in receiver.got]
    assert told == ["made: DELIVERY_REFUSED", "made: JOB_FAILED"]


def test_a_late_delivery_is_told_and_shown_until_rows_come(
    home: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_store / "mlflow.db", home)
    declare(home, monitor="0 4 * * *")
    (home / "made.yaml").write_text(
        (home / "made.yaml").read_text().replace("rows.csv}", "rows.csv, expect_every: 1 day}")
    )
    tables = Tables(str(home / "data"), "made")

    def bring(number: int, days_ago: int) -> None:
        rows = pa.table({DELIVERY: pa.array([number], pa.int64())})
        version = tables.append("raw", rows, **{BROUGHT: str(number), COLLECTED: "yes"})
        log = home / f"data/made/raw/_delta_log/{version:020}.json"
        at = int((datetime.now(UTC) - timedelta(days=days_ago)).timestamp() * 1000)
        log.write_text(re.sub(r'"timestamp":\d+', f'"timestamp":{at}', log.read_text()))

    with listening(Receiver()) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", receiver.url)
        bring(1, days_ago=2)
        assert schedule(home, "--job", "monitor").returncode == 0
        late = known(home, "monitor")["notice"]
        bring(2, days_ago=0)
        assert schedule(home, "--job", "monitor").returncode == 0
    assert late == "the source has brought nothing for longer than expected"
    assert known(home, "monitor")["notice"] == ""
    found = [json.loads(d.body)["text"].split()[1] for d in receiver.got]
    assert found == ["DELIVERY_LATE.", "DELIVERY_CAME."]


ANSWERS = [
    ("", True),
    ('{"state": "BUSY", "reasons": []}', True),
    ('{"state": "NOT_NEEDED"}', False),
    ("[]", False),
    ("a library said this\n{}", False),
]


@pytest.mark.parametrize(("answer", "another"), ANSWERS)
def test_a_command_says_whether_it_did_its_work(answer: str, another: bool) -> None:
    assert found_another(answer) == another


WRONG = [
    ((), {}, "declares no schedule"),
    (("--job", "monitr"), {"monitor": "0 4 * * *"}, "did you mean 'monitor'"),
    ((), {"monitor": "0 25 * * *"}, "is no cron expression (Bad hour)"),
    (("--port", "x"), {"monitor": "0 4 * * *"}, "port: a number up to 65535"),
]


@pytest.mark.parametrize(("options", "declared", "said"), WRONG)
def test_what_is_wrong_is_named(
    home: Path, options: tuple[str, ...], declared: dict[str, object], said: str
) -> None:
    declare(home, look_back=3, **declared)
    done = schedule(home, *options)
    assert done.returncode == 2
    assert said in done.stderr


SECRET_LINE = "postgresql://user:secret@host is away"
ENDS = [  # what a command answers, its exit code, how it ended
    (
        '{"state": "SUSPICIOUS_LABELS"}',
        1,
        ChildResult(notice="the labels look suspicious: a person must look"),
    ),
    ('{"state": "RETRAIN"}', 1, ChildResult("ended with exit code 1", failed=True)),
    ("", 3, ChildResult("ended with exit code 3", failed=True, away=True)),
    ("{}", 0, ChildResult()),
    (
        '{"state": "GATE_REFUSED", "version": "2"}',
        0,
        ChildResult(notice="the gate refused the version that the pipeline made"),
    ),
    (
        '{"state": "DELIVERY_LATE"}',
        0,
        ChildResult(notice="the source has brought nothing for longer than expected"),
    ),
    ('[{"labels_overdue": 0}, {"labels_overdue": 3}]', 0, ChildResult(notice="labels overdue: 3")),
]


@pytest.mark.parametrize(("answer", "code", "how"), ENDS)
def test_what_a_command_says_last_is_kept_apart_from_how_it_ended(
    home: Path, answer: str, code: int, how: ChildResult
) -> None:
    says = (
        f"import sys; print({answer!r}); print({SECRET_LINE!r}, file=sys.stderr); sys.exit({code})"
    )

    async def run() -> ChildResult:
        command = [sys.executable, "-c", says]
        return await run_child(command, home / "job.log", 60, asyncio.Event(), lambda _: None)

    ended = asyncio.run(run())
    assert replace(ended, last_line="") == how
    assert (SECRET_LINE in ended.line) == bool(code)
    assert SECRET_LINE not in ended.trouble + ended.notice


def test_a_start_time_that_moves_with_the_clock_is_still_that_of_the_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, start_new_session=True)
    seen = psutil.Process(process.pid)
    host, pid, started = process_identity(process.pid).split(":")
    assert not end_orphan(f"{host}:{pid}:{float(started) + 5:.2f}")
    assert not end_orphan(f"elsewhere:{pid}:{started}")
    assert not ended(seen)
    assert end_orphan(f"{host}:{pid}:{float(started) + 0.5:.2f}")
    assert ended(seen)
    process.communicate(timeout=10)


def test_a_full_log_begins_anew_and_keeps_what_was_said(home: Path) -> None:
    log = home / "job.log"
    with log.open("ab") as writer:
        writer.write(b"x" * (LOG_BYTES + 1))
        writer.flush()
        limit(log)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (home / "job.log.1").stat().st_size == LOG_BYTES + 1


def test_tables_that_can_t_be_read_fail_the_job_and_not_the_scheduler(home: Path) -> None:
    use_case = declare(home, **WATCHED | {"attempts": 1})
    answered(home, use_case, 1)
    for file in (home / "data/made/predictions").rglob("*.parquet"):
        file.unlink()
    done = schedule(home, "--job", "monitor")
    assert done.returncode == 3  # forget or maintain may be at work
    assert "monitor: could not look: Files of predictions version" in done.stderr
    assert known(home, "monitor")["failures"] == 1


def test_a_plan_says_what_would_be_done_and_does_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    use_case = declare(home, maintain="0 4 * * *", **WATCHED)
    answered(home, use_case, 1)
    schedule_main("made.yaml", dry_run="yes")
    said = capsys.readouterr().out
    assert "maintain  has not run yet, next: now (0 4 * * *)" in said
    assert "maintain is due:\n  python -m pipelines.maintain --use-case made.yaml" in said
    assert "feedback is due, and finds nothing to do" in said
    assert "\n  python -m monitoring --use-case made.yaml --from 2024-02-01" in said
    schedule_main("made.yaml", dry_run="yes", as_json="yes")
    found = json.loads(capsys.readouterr().out)["jobs"]
    assert {job: found[job]["outcome"] for job in found} == dict.fromkeys(found, "never ran")
    assert known(home, "maintain") == {}


def test_manifests_go_into_an_overlay_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    declare(home, maintain="0 4 * * *")
    with pytest.raises(BadInput, match=r"'\.' holds no kustomization\.yaml; an overlay is needed"):
        schedule_main("made.yaml", kubernetes=".")
    overlay = home / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").touch()
    schedule_main("made.yaml", kubernetes="overlay")
    assert "overlay/made is written" in capsys.readouterr().err
    assert "0 4 * * *" in (overlay / "made/times.yaml").read_text(encoding="utf-8")
