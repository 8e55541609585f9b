"""Clients that others wrote, each in an environment of its own that `make clients` makes."""

import filecmp
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import PROJECT

TOOLS = PROJECT / "scripts/tools"
TWO = ["Gentoo", "Gentoo"]
BY_LOCK = {
    "kserve",
    "kserve, bytes",
    "tritonclient",
    "tritonclient, bytes",
    "generated, /predict",
    "generated, /invocations",
}
BY_JAVA = {"by Java, /predict", "by Java, /invocations"}  # openapi-generator is a program for it


def python_of(lock: str) -> str:
    """The interpreter of a lock's environment; skips where it was not made."""
    folder = PROJECT / ".cache/tools" / lock
    made = folder / "made-from.lock"
    if not made.exists() or not filecmp.cmp(made, TOOLS / f"{lock}.lock", shallow=False):
        pytest.skip(f"no environment of {lock}.lock; make clients makes it")
    return str(folder / "bin/python")


def asked(lock: str, script: str, *arguments: str) -> str:
    """What a script prints in such an environment."""
    command = [python_of(lock), str(TOOLS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_clients_of_kserve_and_triton_and_generated_ones_are_answered(
    address: str, home: Path
) -> None:
    answers = json.loads(asked("clients", "ask_clients.py", address, str(home)))
    expected = BY_LOCK | (BY_JAVA if shutil.which("java") else set())
    assert answers == dict.fromkeys(expected, TWO)


def test_mlservers_codec_for_frames_is_answered(address: str) -> None:
    assert json.loads(asked("mlserver", "ask_mlserver.py", address)) == TWO
