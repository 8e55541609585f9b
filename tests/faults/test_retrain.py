"""Two retrainings at once, and one that is killed: one candidate, and nothing doubled."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contract.names import PRODUCTION
from pipelines.lease import newest
from pipelines.retrain import retrain
from tests.faults.rounds import rounds
from tests.pipelines.test_main import STEPS, environment
from tests.pipelines.turned import FILE, N_ROWS, Turned, copied

# A line of each says that the next one has begun. The one that matters most comes first.
UNDER_WAY = ["split", "training_set", *(step for step in STEPS[:-1] if step != "split")]


def another_host(home: Path) -> Path:
    """A root with locks of its own and the same tables, as another host has it."""
    root = home / "elsewhere"
    root.mkdir()
    (root / "made").symlink_to(home / "data" / "made")
    return root


@pytest.mark.parametrize("done", UNDER_WAY[: rounds(few=1, full=len(UNDER_WAY))])
def test_a_second_one_says_so_and_after_a_kill_the_next_one_finishes(
    turned: Turned, home: Path, done: str
) -> None:
    workspace = copied(turned, home)
    command = [sys.executable, "-m", "pipelines.retrain", "--use-case", str(turned.folder / FILE)]
    first = subprocess.Popen(
        command, env=environment(), cwd=home, stderr=subprocess.PIPE, text=True
    )
    assert first.stderr is not None
    with first.stderr as lines:
        assert any(f" {done} " in line for line in lines)
        first.send_signal(signal.SIGSTOP)  # it is in the middle, for as long as we look
        second = subprocess.run(
            command, env=environment(), cwd=home, capture_output=True, text=True, check=False
        )
        elsewhere = retrain(turned.use_case, str(another_host(home)))
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
    assert second.returncode == 0
    assert "made: BUSY" in second.stderr
    assert "Another pipeline works on 'made'" in second.stderr
    assert elsewhere.state == "BUSY"
    assert f":{first.pid}:" in elsewhere.reasons[0]
    head = newest(workspace.tables)
    assert head
    assert head.holder.split(":")[1] == str(first.pid)
    assert retrain(turned.use_case).state == "RETRAIN"
    versions = workspace.client.search_model_versions("name = 'made'")
    assert {str(v.version): v.current_stage for v in versions} == {"1": "Archived", "2": PRODUCTION}
    assert workspace.tables.read("raw").num_rows == 200 + 2 * N_ROWS
    runs = workspace.client.search_runs([workspace.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}
