"""After a replay, MLflow's pages and the service stay until somebody ends them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from pipelines.main import Outcome
from pipelines.replaying.service_process import free_port
from tests.conftest import copy_world
from tests.support.project import PROJECT
from tests.support.rounds import FULL

STAY = """
from contract.settings import read_settings
from pipelines.replaying.staying import keep_running
keep_running("penguins", "", read_settings())
"""


@pytest.mark.skipif(not FULL, reason="make faults: two servers to start")
@pytest.mark.parametrize("ended", ["by a signal", "by the service's death"])
def test_both_answer_until_one_signal_or_death_ends_both(
    trained: tuple[Path, Outcome], home: Path, ended: str
) -> None:
    copy_world(trained[0], home)
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db", "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [sys.executable, "-c", STAY],
        env=os.environ | store | {"FOURCYCLE_SERVE_PORT": str(free_port())},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        said = ""
        while "Ctrl-C stops both" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        pages, service = re.findall(r"(http://[\d.:]+)\S*   ", said)
        assert httpx.get(f"{pages}/health").is_success
        assert httpx.get(f"{service}/ping").is_success
        if ended == "by a signal":
            process.send_signal(signal.SIGTERM)
        else:
            children = psutil.Process(process.pid).children()
            next(one for one in children if "serving" in one.cmdline()).kill()
        said = process.communicate(timeout=120)[1]
    if ended == "by a signal":
        assert process.returncode == 0
    else:
        assert "The service at port" in said
        assert "has ended by itself" in said
    for address in (pages, service):
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
