"""The work of engines whose workers are other processes: a task for each piece, which writes what
it answered into files of a fixed name, and what a worker needs of a version."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.scoring.answers import answer_schema, logged_schema
from pipelines.scoring.engines.engine import Work
from pipelines.scoring.pieces import Piece, numbered
from pipelines.scoring.staging import Staged, new_file
from pipelines.scoring.through import Asked, Counted, Sinks, through
from serving.scoring.version import ServedVersion, load_version


@dataclass(frozen=True)
class Package:
    """A version on its way to a machine that has no registry."""

    name: str
    version: str
    digest: str
    code: Path | None
    files: dict[str, bytes] = field(compare=False, repr=False)

    @classmethod
    def of(cls, work: Work) -> "Package":
        """The version by which a job's rows are answered."""
        assert work.package is not None, "the folder of the version is needed to send it"
        files = {
            str(path.relative_to(work.package)): path.read_bytes()
            for path in sorted(work.package.rglob("*"))
            if path.is_file()
        }
        served = work.served
        return cls(served.name, served.version, served.digest, work.code, files)


@dataclass(frozen=True)
class Task:
    """A piece, and where its answers go."""

    asked: Asked
    number: int
    piece: Piece
    start: str  # of the addresses of its files
    wants_answers: bool
    wants_log: bool

    @property
    def answers(self) -> str:
        """The file of its answers."""
        return f"{self.start}.answers.parquet"

    @property
    def log(self) -> str:
        """The file of its rows for the log."""
        return f"{self.start}.log.parquet"


def tasks_of(work: Work, sinks: Sinks) -> Iterator[Task]:
    """A task for each piece, in the order of the rows."""
    wants = sinks.answers is not None, sinks.log is not None
    for number, piece in enumerate(work.source.pieces()):
        yield Task(work.asked, number, piece, f"{work.staging}/{number:06d}", *wants)


def answer_piece(task: Task, package: Package) -> Counted:
    """Do a task, on any machine. Done twice its files are the same, and there once."""
    served, parts = _loaded(package), numbered([(task.number, task.piece)])
    schema = answer_schema(served.use_case, served.scorer.classes)
    with ExitStack() as stack:
        answers = log = None
        if task.wants_answers:
            answers = Staged(stack.enter_context(new_file(task.answers, schema)))
        if task.wants_log:
            log = Staged(stack.enter_context(new_file(task.log, logged_schema(served.use_case))))
        return through(task.asked, served, parts, Sinks(answers, log), lambda _: None, threads=1)


def hand_over(task: Task, sinks: Sinks) -> None:
    """Let the sinks have what a task wrote; tasks come in the order of the rows."""
    if sinks.answers is not None:
        sinks.answers.take(task.answers)
    if sinks.log is not None:
        sinks.log.take(task.log)


@lru_cache(maxsize=1)
def _loaded(package: Package) -> ServedVersion:
    """The version, once for each process."""
    with TemporaryDirectory() as name:
        for path, content in package.files.items():
            file = Path(name) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return load_version(Path(name), package.name, package.version, package.digest, package.code)
