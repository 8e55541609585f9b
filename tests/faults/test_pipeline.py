"""A pipeline that is killed in any step is finished by the next one, with nothing doubled."""

import signal
import subprocess
from pathlib import Path

import pytest

from contract.names import PRODUCTION
from contract.store.tables import Tables
from pipelines.runtime.workspace import open_workspace
from tests.conftest import MADE, deliver, made_rows, made_use_case
from tests.pipelines.test_main import COMMAND, STEPS, environment
from tests.support.rounds import rounds

pytestmark = pytest.mark.usefixtures("stored")


def kill_in(step: str, home: Path) -> None:
    """Start the pipeline and end it by SIGKILL while a step's run is open.

    Each step says when it is done, so the line of the step before tells that this one is under way.
    """
    said = f" {STEPS[STEPS.index(step) - 1]} " if step != STEPS[0] else " · sqlite"
    process = subprocess.Popen(
        COMMAND, env=environment(), cwd=home, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr as lines:
        assert any(said in line for line in lines)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("step", STEPS[:: rounds(few=5, full=1)])
def test_a_killed_pipeline_resumes_with_nothing_doubled(home: Path, step: str) -> None:
    deliver(home, made_rows())
    (home / "made.yaml").write_text(MADE, encoding="utf-8")
    kill_in(step, home)
    again = subprocess.run(COMMAND, env=environment(), cwd=home, capture_output=True, check=False)
    assert again.returncode == 0, again.stderr
    with open_workspace(made_use_case(home)) as workspace:
        runs = workspace.client.search_runs([workspace.experiment_id])
        versions = workspace.client.search_model_versions("name = 'made'")
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    assert [version.current_stage for version in versions] == [PRODUCTION]
    assert Tables(str(home / "data"), "made").read("raw").num_rows == len(made_rows())
