"""The workflows: linted, made of make targets alone, and those targets run here for real."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from tests.support.newcomer import copied, start
from tests.support.project import PROJECT
from tests.support.rounds import FULL

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")
# What is not run by the test below, and why.
ELSEWHERE = {
    "test": "it would run this very test",
    "debian": "it ran before this test",
    "audit": "asks a public list of known holes",
    "lock": "asks the index for the newest versions",
    "images": "needs Docker and a registry of images",
    "images-push": "needs a registry of images",
    "publish": "makes a release on GitHub",
    "faults": "hours; run by hand and every night",
    "docs-check": "half an hour; run by hand and every night",
    "tables": "half an hour; run by hand and every night",
    "clients": "installs what others wrote; run by hand and every night",
    "scale": "installs Ray and Spark; run by hand and every night",
    "mutants": "an hour; run by hand and every night",
}
HERE = {"train", "ci-report", "release", "rollback", "monitor", "dist"}
APPROVER, REPOSITORY, RUN = "octavia", "we/ours", "77"
NIGHT = 'it\'s "night"; $(touch x) `touch y`'


def read(workflow: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    return document


def steps(workflow: Path) -> Iterator[dict[str, Any]]:
    for job in read(workflow)["jobs"].values():
        yield from job["steps"]


def called() -> set[str]:
    """Every target that a workflow calls, those of a matrix too."""
    lines = [step["run"] for workflow in WORKFLOWS for step in steps(workflow) if "run" in step]
    named = {re.sub(r"^sudo ", "", line).split()[1] for line in lines}
    nightly = read(PROJECT / ".github/workflows/nightly.yml")["jobs"]["long"]
    return (named - {'"$TARGET"'}) | set(nightly["strategy"]["matrix"]["target"])


@pytest.mark.parametrize(
    "linter", [("actionlint",), ("zizmor", "--offline", "--quiet", ".github")], ids=lambda c: c[0]
)
def test_linters_find_nothing(linter: tuple[str, ...]) -> None:
    command = ["sh", "scripts/tool", "workflows", *linter]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.stem)
def test_a_workflow_has_no_script_of_its_own_and_no_more_rights_than_its_jobs_name(
    workflow: Path,
) -> None:
    document = read(workflow)
    assert document["permissions"] in ({}, {"contents": "read"})
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 350
    for step in steps(workflow):
        if "uses" in step:
            assert PINNED.fullmatch(step["uses"]), step["uses"]
        else:
            assert re.match(r'(sudo )?make ("\$TARGET"|[a-z-]+)', step["run"]), step["run"]
            assert "${{" not in step["run"] and "\n" not in step["run"].strip()


def test_every_target_that_is_called_exists_and_is_run_or_left_out_with_a_reason() -> None:
    assert called() <= TARGETS
    assert called() == HERE | ELSEWHERE.keys()


class Approvals(BaseHTTPRequestHandler):
    """Who let a run of a workflow through, as GitHub's REST interface tells it."""

    def do_GET(self) -> None:
        assert self.path == f"/repos/{REPOSITORY}/actions/runs/{RUN}/approvals"
        said = [
            {"state": "rejected", "user": {"login": "somebody"}},
            {"state": "approved", "user": {"login": APPROVER}},
        ]
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@pytest.fixture
def github() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Approvals)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def declared(home: Path, c: float) -> Path:
    """The penguins, of which a person approves each version."""
    text = (PROJECT / "use_cases/penguins.yaml").read_text(encoding="utf-8")
    release = "release: {approval: manual, unproven: true, self_approval: true}\n"
    file = home / "penguins.yaml"
    file.write_text(text.replace("C: 1.0", f"C: {c}") + release, encoding="utf-8")
    return file


@pytest.mark.skipif(not FULL, reason="two trainings and more: make faults")
def test_the_workflows_commands_from_a_merge_to_a_rollback(home: Path, github: str) -> None:
    project = copied(home / "project")
    given = {
        "GITHUB_API_URL": github,
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": RUN,
        "GITHUB_TOKEN": "token",
        "REASON": NIGHT,
    }

    def run(command: str) -> str:
        process = start(project, command, given)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, f"{command}: {said[-3000:]}"
        return said

    def make(target: str) -> str:
        return run(f"make {target} USE_CASE=penguins.yaml")

    for c in (0.05, 1.0):
        declared(project, c)
        make("train")
        make("release")
    make("rollback")
    make("monitor")
    said = run("fourcycle history --use-case penguins.yaml --json yes 2>/dev/null")
    entries = json.loads(said)["entries"]
    moves = [e for e in entries if e["move"] in ("promote", "rollback")]
    expected = [("promote", "1"), ("promote", "2"), ("rollback", "1")]
    assert [(m["move"], m["version"]) for m in moves] == expected
    assert all(f"approved by {APPROVER}" in m["why"] for m in moves[:2])
    assert moves[2]["why"] == NIGHT
    version = re.search(r'^version = "(.+)"', (PROJECT / "pyproject.toml").read_text(), re.M)
    assert version and "whl" in run(f"make dist TAG=v{version[1]}")


@pytest.mark.skipif(not FULL, reason="two trainings: make faults")
def test_a_fork_is_held_against_the_base_branch_and_the_job_shows_the_report(home: Path) -> None:
    summary, comment = home / "summary.md", home / "ci-report.md"
    environment = os.environ | {"GITHUB_STEP_SUMMARY": str(summary), "MLFLOW_TRACKING_URI": ""}
    command = [".venv/bin/python", "-m", "pipelines.ci_report", "--use-case", "penguins"]
    done = subprocess.run(
        [*command, "--base", "HEAD", "--output", str(comment)],
        cwd=PROJECT,
        env=environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/none.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    text = comment.read_text(encoding="utf-8")
    assert "the model of HEAD, trained beside this one" in text
    assert summary.read_text(encoding="utf-8") == text
    assert not (home / "none.db").exists()
