"""Ray without RAY_ADDRESS: a cluster of this machine, which nobody from outside reaches."""

import json

import pytest

from tests.support.cluster import run

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
    done = run(SCRIPT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) > 3
    assert {address.removeprefix("::ffff:") for address in found} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"RAY_OVERRIDE_RESOURCES": '{"CPU": 0}'}, "has no core for tasks; a worker is needed"),
        ({"RAY_ADDRESS": "127.0.0.1:1"}, "the Ray cluster at '127.0.0.1:1' is away"),
    ],
)
def test_a_cluster_that_can_t_answer_is_said(given: dict[str, str], said: str) -> None:
    done = run(SCRIPT, **given)
    assert (
        f"Unavailable: engine: the Ray cluster at '{given.get('RAY_ADDRESS', '')}'" in done.stderr
    )
    assert said in done.stderr
