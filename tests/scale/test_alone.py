"""Ray without RAY_ADDRESS: a cluster of this machine, which nobody from outside reaches."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.cluster import PLAIN, path_of_packages

pytest.importorskip("ray", reason="Ray is installed apart: make scale")
SCRIPT = """
import json, psutil
from pipelines.scoring.engines.registry import ENGINES

with ENGINES["ray"]() as crew:
    assert list(crew.each(abs, [-1, 2, -3])) == [1, 2, 3]
    below = psutil.Process().children(recursive=True)
    found = [c.laddr.ip for p in below for c in p.net_connections() if c.status == "LISTEN"]
print(json.dumps(found))
"""


def test_it_listens_to_this_machine_alone() -> None:
    environment = os.environ | PLAIN | {"PYTHONPATH": path_of_packages()}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) > 3
    assert {address.removeprefix("::ffff:") for address in found} == {"127.0.0.1"}
