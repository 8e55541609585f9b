"""Two retrainings at once, and one that is killed: one candidate, and nothing doubled."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contract.names import PRODUCTION
from pipelines.retrain import retrain
from pipelines.runtime.lease import newest
from tests.pipelines.test_main import STEPS, environment
from tests.support.rounds import rounds
from tests.support.turned import FILE, N_ROWS, Turned, copied

COMMAND = [sys.executable, "-m", "pipelines.retrain", "--use-case"]
STOPPING = [sys.executable, str(Path(__file__).parent / "stopping_retrain.py")]
# The one that matters most comes first: the candidate is live, and nobody was told.
DONE = ["promote", "split", "training_set", *(s for s in STEPS[:-1] if s != "split")]


@contextmanager
def stopped_after(done: str, asked: str, home: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A retraining that has done a step and goes no further; killed in the end."""
    found = subprocess.Popen([*STOPPING, done, asked], env=environment(), cwd=home)
    try:
        _, status = os.waitpid(found.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        yield found
    finally:
        found.kill()
        found.wait()


def another_host(home: Path) -> Path:
    """A root with locks of its own and the same tables, as another host has it."""
    root = home / "elsewhere"
    root.mkdir()
    (root / "made").symlink_to(home / "data" / "made")
    return root


@pytest.mark.parametrize("done", DONE[: rounds(few=1, full=len(DONE))])
def test_a_second_one_says_so_and_after_a_kill_the_next_one_finishes(
    turned: Turned, home: Path, done: str
) -> None:
    workspace, asked = copied(turned, home), str(turned.folder / FILE)
    with stopped_after(done, asked, home) as first:
        second = subprocess.run(
            [*COMMAND, asked],
            env=environment(),
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        elsewhere = retrain(turned.use_case, str(another_host(home)))
    assert first.returncode == -signal.SIGKILL
    assert second.returncode == 0
    assert "made: BUSY" in second.stderr
    assert "Another pipeline works on 'made'" in second.stderr
    live = done == "promote"  # nothing calls for more
    assert elsewhere.state == ("NOT_NEEDED" if live else "BUSY")
    assert live or f":{first.pid}:" in elsewhere.reasons[0]
    head = newest(workspace.tables)
    assert head
    assert head.holder.split(":")[1] == str(first.pid)
    assert retrain(turned.use_case).state == ("NOT_NEEDED" if live else "RETRAIN")
    versions = workspace.client.search_model_versions("name = 'made'")
    assert {str(v.version): v.current_stage for v in versions} == {"1": "Archived", "2": PRODUCTION}
    assert workspace.tables.read("raw").num_rows == 200 + 2 * N_ROWS
    runs = workspace.client.search_runs([workspace.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}


def test_one_that_is_asked_to_stop_gives_the_lease_back(turned: Turned, home: Path) -> None:
    workspace, asked = copied(turned, home), str(turned.folder / FILE)
    with subprocess.Popen(
        [*COMMAND, asked], env=environment(), cwd=home, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("counting labels" in line for line in process.stderr)
        process.terminate()
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    head = newest(workspace.tables)
    assert head
    assert (head.number, head.holder) == (2, "")
