"""Answers on the machines of a Ray cluster: each piece is a task; who asks commits, alone.

Tasks, which Ray begins again wherever a machine is lost: actors of a pool were waited for, forever.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from contract.errors import BadInput, FourcycleError, Unavailable
from contract.settings import read_settings
from pipelines.scoring.engines.engine import Crew, Given, Made, Work
from pipelines.scoring.engines.tasks import Package, answer_piece, hand_over, tasks_of
from pipelines.scoring.through import Counted, Progress, Sinks

AHEAD = 4  # tasks for each core of the cluster that are at work or wait to be put together
CANCEL_S = REACH_S = 10
INSTALL = (
    "uv pip install --require-hashes -r pyproject.toml --extra scale -c requirements.lock "
    "-c scripts/tools/scale.lock"
)


@contextmanager
def engine() -> Iterator[Crew]:
    """The cluster that RAY_ADDRESS names, else one of this machine alone, as long as it is needed.

    BadInput where Ray is not installed, Unavailable where the cluster is away.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    ray = _imported(alone=not address)
    alone = {} if address else {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
    try:
        _reach(address)
        ray.init(address or "local", logging_level="ERROR", log_to_driver=False, **alone)
    except (OSError, RuntimeError) as error:
        raise Unavailable(f"engine: the Ray cluster at {address!r} is away: {error}") from error
    try:
        if not ray.cluster_resources().get("CPU"):
            raise Unavailable(
                f"engine: the Ray cluster at {address!r} has no core for tasks; a worker is needed."
            )
        yield _Cluster(ray)
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """OSError where nobody listens at host:port, for which Ray itself waits many minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), REACH_S).close()


@dataclass(frozen=True)
class _Cluster:
    ray: Any

    def answer(self, work: Work, sinks: Sinks, progress: Progress) -> Counted:
        """Pieces side by side, each into files of its own."""
        if work.threads != 1:
            raise BadInput(
                f"threads: ray answers a piece on each core, so 1 is needed, found {work.threads}."
            )
        package, counted = self.ray.put(Package.of(work)), Counted()
        for task, done in self._in_order(answer_piece, tasks_of(work, sinks), package):
            hand_over(task, sinks)
            counted.add(done)
            progress(counted.rows + len(counted.bad))
        return counted

    def each(self, do: Callable[[Given], Made], given: Iterable[Given]) -> Iterable[Made]:
        """Side by side."""
        return (made for _, made in self._in_order(do, given))

    def _in_order(
        self, do: Callable[..., Made], given: Iterable[Given], *beside: Any
    ) -> Iterator[tuple[Given, Made]]:
        """Each value and what came of it, in order, some ahead; an error comes in its place."""
        run = self.ray.remote(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")(_run)
        ahead = deque[tuple[Given, Any]]()
        try:
            for one in given:
                ahead.append((one, run.remote(do, one, *beside)))
                if len(ahead) > AHEAD * self._cores():
                    yield self._taken(ahead)
            while ahead:
                yield self._taken(ahead)
        finally:
            self._end([reference for _, reference in ahead])

    def _taken(self, ahead: deque[tuple[Given, Any]]) -> tuple[Given, Any]:
        one, reference = ahead[0]
        made = self.ray.get(reference)
        ahead.popleft()
        if isinstance(made, FourcycleError):
            raise made
        return one, made

    def _end(self, references: list[Any]) -> None:
        """Nothing of these writes on when what they wrote is swept."""
        for reference in references:
            self.ray.cancel(reference, force=True)
        if references:
            self.ray.wait(references, num_returns=len(references), timeout=CANCEL_S)

    def _cores(self) -> int:
        """Of all machines that are there now."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))


def _run(do: Callable[..., Made], *given: Any) -> Made | FourcycleError:
    """One task, on any machine; an error of ours is a result, and Ray does not try it again."""
    try:
        _settled()
        return do(*given)
    except FourcycleError as error:
        return error


@cache
def _settled() -> None:
    """The secrets of this machine, such as keys of a store, are where libraries look for them."""
    read_settings()


def _imported(*, alone: bool) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if alone:  # else it listens to every address, whichever it is told; read when it is imported
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError:
        raise BadInput(
            f"engine: ray needs the package ray, and it is not installed; `{INSTALL}` brings it."
        ) from None
    return ray
