"""Processes that promote, to race with each other."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipelines.runtime.code_hash import PROJECT
from pipelines.runtime.workspace import Workspace
from tests.support.versions import check, now, register


@contextmanager
def promoter(home: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that promotes what it is told to; it has imported everything when it is given."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.promoter"],
        cwd=home,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def answer(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def race(
    workspace: Workspace,
    rivals: "Sequence[subprocess.Popen[str]]",
    meanwhile: Callable[[list[str]], None] = lambda versions: None,
) -> list[str]:
    """Let each promote a version of its own at once: one wins and the others hear who.

    Answers the versions. `meanwhile` is given them while the promoters are at work.
    """
    champion = now(workspace).champion
    versions = [register(workspace) for _ in rivals]
    for rival, version in zip(rivals, versions, strict=True):
        tell(rival, f"{version} {champion or '-'}")
    meanwhile(versions)
    said = dict(zip(versions, [answer(rival) for rival in rivals], strict=True))
    (winner,) = (version for version, line in said.items() if line == "promoted")
    told = [line for version, line in said.items() if version != winner]
    assert all(f"the champion is now version {winner}" in line for line in told), said
    assert now(workspace).champion == winner
    check(workspace)
    return versions
