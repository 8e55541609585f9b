"""A real Ray cluster of two nodes on this machine, of which processes and nodes are killed."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import psutil

from pipelines.replaying.service_process import free_port
from tests.support.project import PROJECT

RAY = (sys.executable, "-m", "ray.scripts.scripts")
START_S = 180
# Workers give way to all else of their machine unless told not to; here one waits for them.
PLAIN = {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
KILLED_S = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "5"}


class Cluster:
    """A head and a second node with a core each; `ray start` binds addresses of this machine."""

    def __init__(self, folder: Path) -> None:
        # What stands in the path of a socket may have 100 letters.
        self._folder, self._log = folder, folder / "start.log"
        self._nodes = list[subprocess.Popen[bytes]]()
        self.environment = {**PLAIN, **KILLED_S, "PYTHONPATH": path_of_packages()}
        # Who brings no token is turned away: the cluster listens to more than this machine.
        self.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token_hex(32)}
        self.address = ""

    def start(self) -> None:
        """Both nodes, each with a core."""
        head = ("--head", f"--port={free_port()}", "--include-dashboard=false")
        self._begin(*head, f"--temp-dir={self._folder}", "--num-cpus=1")
        self._wait(self._told)
        self.environment["RAY_ADDRESS"] = self.address
        self.second()

    def second(self) -> None:
        """Start the second node, as often as it was killed."""
        self._begin(f"--address={self.address}", "--num-cpus=1")
        self._wait(self._both)

    def kill_second(self) -> None:
        """The second node with all its processes, at once."""
        _kill(self._nodes.pop())

    def workers(self) -> list[psutil.Process]:
        """Processes that are at a task now, of both nodes."""
        found = [p for node in self._nodes for p in psutil.Process(node.pid).children(True)]
        return [p for p in found if _title(p).startswith("ray::_run")]

    def stop(self) -> None:
        """Both nodes, at once."""
        while self._nodes:
            _kill(self._nodes.pop())

    def _begin(self, *options: str) -> None:
        command = [*RAY, "start", "--block", "--object-store-memory=200000000", *options]
        environment = os.environ | self.environment
        with self._log.open("ab") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd="/")
        self._nodes.append(process)

    def _told(self) -> bool:
        """Whether the head said its address: Ray chooses it, whatever it is asked."""
        found = re.search(r"ray start --address='([\d.:]+)'", self._log.read_text())
        self.address = found[1] if found else ""
        return bool(found)

    def _both(self) -> bool:
        code = "import ray,sys; ray.init(log_to_driver=False, logging_level='ERROR');"
        code += "sys.exit(sum(n['Alive'] for n in ray.nodes()) != 2)"
        environment = os.environ | self.environment
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        return done.returncode == 0

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not ready():
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.5)


def path_of_packages() -> str:
    """Our code, and the packages beside those of this environment: of other nodes, too."""
    return os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])


def run(script: str, **given: str) -> "subprocess.CompletedProcess[str]":
    """A script in a process of its own: Ray reads some of its environment when it is imported."""
    environment = os.environ | PLAIN | {"PYTHONPATH": path_of_packages(), "RAY_ADDRESS": ""}
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment | given,
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster, and its end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    below = psutil.Process(process.pid).children(recursive=True)
    for one in (psutil.Process(process.pid), *below):
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()
