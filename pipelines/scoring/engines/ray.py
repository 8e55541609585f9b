"""Answers on the machines of a Ray cluster: each piece is a task, which writes what it answered
into files of a fixed name; who asks puts them together and commits alone.

Tasks, which Ray begins again wherever a machine is lost: actors of a pool were waited for, forever.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contract.errors import BadInput, FourcycleError, Unavailable
from pipelines.scoring.answers import answer_schema, logged_schema
from pipelines.scoring.engines.work import Work
from pipelines.scoring.pieces import Piece, numbered
from pipelines.scoring.staging import drop, new_file, rows_of
from pipelines.scoring.through import Asked, Counted, Progress, Sinks, through
from serving.scoring.version import ServedVersion, load_version

AHEAD = 4  # pieces for each core of the cluster that are at work or wait to be put together
INSTALL = "uv pip install --require-hashes -r scripts/tools/scale.lock"


def answer(work: Work, sinks: Sinks, progress: Progress) -> Counted:
    """Pieces side by side. Unavailable where the cluster is away, BadInput where Ray is."""
    ray = _ray()
    if work.threads != 1:
        raise BadInput("threads: ray answers a piece on each core of its machines; leave it at 1.")
    counted = Counted()
    with _connected(ray):
        for done in _answered(ray, work, sinks):
            for address, sink in ((done.answers, sinks.answers), (done.log, sinks.log)):
                if sink is not None:
                    for rows in rows_of(address):
                        sink(rows)
                    drop(address)
            counted.add(done.counted)
            progress(counted.rows + len(counted.bad))
    return counted


@dataclass(frozen=True)
class _Package:
    """A version on its way to a machine that has no registry."""

    name: str
    version: str
    digest: str
    code: Path | None
    files: dict[str, bytes] = field(compare=False, repr=False)


@dataclass(frozen=True)
class _Task:
    """A piece, and where its answers go."""

    number: int
    piece: Piece
    answers: str
    log: str
    wants: tuple[bool, bool]  # answers, rows of the log


@dataclass(frozen=True)
class _Done:
    """What a task wrote, and what became of its rows, or the error that ends the job."""

    answers: str
    log: str
    counted: Counted
    error: FourcycleError | None = None


def _answered(ray: Any, work: Work, sinks: Sinks) -> Iterator[_Done]:
    """What came of each piece, in their order, some ahead; the first error in their order ends."""
    run = ray.remote(num_cpus=1, max_retries=-1, scheduling_strategy="SPREAD")(_run)
    package, asked = ray.put(_packed(work)), work.asked
    waiting = deque[Any]()
    try:
        for number, piece in enumerate(work.source.pieces()):
            start = f"{work.staging}/{number:06d}"
            wants = (sinks.answers is not None, sinks.log is not None)
            task = _Task(number, piece, f"{start}.answers.parquet", f"{start}.log.parquet", wants)
            waiting.append(run.remote(package, asked, task))
            if len(waiting) > AHEAD * _cores(ray):
                yield _got(ray, waiting)
        while waiting:
            yield _got(ray, waiting)
    finally:
        for reference in waiting:
            ray.cancel(reference, force=True)
        if waiting:
            ray.wait(list(waiting), num_returns=len(waiting), timeout=10)


def _got(ray: Any, waiting: deque[Any]) -> _Done:
    done: _Done = ray.get(waiting[0])
    waiting.popleft()
    if done.error is not None:
        raise done.error
    return done


def _cores(ray: Any) -> int:
    """Of all machines that are there now."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _run(package: _Package, asked: Asked, task: _Task) -> _Done:
    """The work of one task, on any machine."""
    try:
        return _write(_loaded(package), asked, task)
    except FourcycleError as error:
        return _Done(task.answers, task.log, Counted(), error)


def _write(served: ServedVersion, asked: Asked, task: _Task) -> _Done:
    schema = answer_schema(served.use_case, served.scorer.classes)
    schemas = (schema, logged_schema(served.use_case))
    sinks = list[Any]()
    with ExitStack() as stack:
        for wanted, address, kind in zip(
            task.wants, (task.answers, task.log), schemas, strict=True
        ):
            writer = stack.enter_context(new_file(address, kind)) if wanted else None
            sinks.append(writer.write_table if writer else None)
        parts = numbered([(task.number, task.piece)])
        counted = through(asked, served, parts, Sinks(*sinks), lambda _: None, threads=1)
    return _Done(task.answers, task.log, counted)


def _packed(work: Work) -> _Package:
    assert work.package is not None, "an engine that works elsewhere is given the package's folder"
    files = {
        str(path.relative_to(work.package)): path.read_bytes()
        for path in sorted(work.package.rglob("*"))
        if path.is_file()
    }
    served = work.served
    return _Package(served.name, served.version, served.digest, work.code, files)


@lru_cache(maxsize=1)
def _loaded(package: _Package) -> ServedVersion:
    """The version, once for each process of the cluster."""
    with TemporaryDirectory() as name:
        for path, content in package.files.items():
            file = Path(name) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return load_version(Path(name), package.name, package.version, package.digest, package.code)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise BadInput(
            f"engine: ray needs the package ray, and it is not installed; `{INSTALL}` brings it."
        ) from None
    return ray


@contextmanager
def _connected(ray: Any) -> Iterator[None]:
    """The cluster that RAY_ADDRESS names, else one of this machine alone, for this job."""
    address = os.environ.get("RAY_ADDRESS", "")
    alone = {} if address else {"_node_ip_address": "127.0.0.1", "include_dashboard": False}
    try:
        ray.init(address or "local", logging_level="ERROR", log_to_driver=False, **alone)
    except (ConnectionError, TimeoutError, RuntimeError) as error:
        raise Unavailable(f"engine: the Ray cluster at {address!r} is away: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()
