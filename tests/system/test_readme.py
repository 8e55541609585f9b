"""The README's commands, executed in a copy of the project as a newcomer would."""

import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from pipelines.replaying.service_process import free_port
from tests.support.newcomer import copied, start
from tests.support.project import PROJECT

LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", (PROJECT / "README.md").read_text(), re.S)
    for line in block.splitlines()
]
# They run until stopped; each is started, asked once and stopped by a test of its own.
SERVERS = {"make ui": "/version", "make serve": "/ping", "python -m serving": "/ping"}
ELSEWHERE = {
    "make test": "it would run this very test",
    "make docs": "test_site builds it",
    "make tour": "minutes; make docs-check walks it",
    "python -m monitoring": "make monitor is the same command",
    "mlflow run . --env-manager local --experiment-name flights/training": "make train is the same",
    "python -m pipelines.retrain": "test_retrain does, and finds reasons to",
    "make run USE_CASE=penguins": "as make run, with fewer rows; a sample of them is run below it",
    "make run USE_CASE=arrival-delay": "as make run, for a minute longer",
    "make demo": "minutes; test_replay reads the story of a short time",
    "make replay": "six months take minutes; test_replay lives through a short time",
    "sh scripts/setup": "make runs it first of all",
    ". .venv/bin/activate": "the tests' PATH does the same",
    "mlflow run . --env-manager uv --experiment-name flights/training": "test_mlflow_run does",
    'mlflow run . --env-manager local -e rollback -P reason="too many alarms"': (
        "a first version has none before it; test_promote goes back"
    ),
    "make serve PORT=9090": "make serve is tried with a free port",
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # MLflow hands the steps an address in which the space of its folder's name is encoded.
    return copied(tmp_path_factory.mktemp("readme") / "four cycle")


def test_every_command_of_the_readme_runs(copy: Path) -> None:
    commands = [line for line in LINES if line and line not in SERVERS and line not in ELSEWHERE]
    assert "make run" in commands
    for command in commands:
        process = start(copy, command)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, f"{command}\n{said[-3000:]}"
        if command == "make run":
            assert re.search(r"version\s+1 of flights, stage Production", said)
    for command in (c for c in SERVERS if c.startswith("make")):
        assert answers(copy, command) == httpx.codes.OK, command


def answers(folder: Path, command: str) -> int:
    """Start a server of the README on a free port; its answer to the first question it takes."""
    port = free_port()
    process = start(folder, f"{command} PORT={port}")
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=9), timeout=30) as client:
            return client.get(f"http://127.0.0.1:{port}{SERVERS[command]}").status_code
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def test_what_is_not_run_still_stands_in_the_readme() -> None:
    assert {*SERVERS, *ELSEWHERE} <= set(LINES)
