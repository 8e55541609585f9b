"""A store that nobody has used yet is met by several commands at once; each is as if alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.runtime.code_hash import PROJECT
from tests.support.rounds import rounds

SAID = {
    "pipelines.history": (0, "no version has moved yet"),
    "pipelines.datasets": (0, "none yet; an ingest comes first"),
    "monitoring": (2, "has no version in Production, and none answered in the window."),
}


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", *words, "--use-case", "penguins"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("store", range(rounds(few=1, full=10)))
def test_commands_that_meet_a_fresh_store_at_once_do_as_if_alone(home: Path, store: int) -> None:
    service = start(home, "serving", "--port", "0")
    others = {name: start(home, name) for name in SAID}
    for name, process in others.items():
        said, _ = process.communicate(timeout=120)
        code, sentence = SAID[name]
        assert (process.returncode, "Traceback" in said) == (code, False), said
        assert sentence in said
    assert service.stdout is not None
    said = ""
    for line in service.stdout:
        said += line
        if "not promoted yet on http://" in line:  # its follower has asked the registry
            break
    service.send_signal(signal.SIGTERM)
    said += service.communicate(timeout=60)[0]
    assert (service.returncode, "Traceback" in said, "does not answer" in said) == (0, False, False)
