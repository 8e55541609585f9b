"""Answers in processes of this machine."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from pipelines.scoring.engines.engine import Crew, Given, Made, Work
from pipelines.scoring.engines.tasks import Package, answer_piece, hand_over, tasks_of
from pipelines.scoring.through import Counted, Progress, Sinks

N_PROCESSES = 2


@contextmanager
def engine() -> Iterator[Crew]:
    """Processes, as long as they are needed."""
    with ProcessPoolExecutor(N_PROCESSES, get_context("spawn")) as pool:
        yield _Processes(pool)


@dataclass(frozen=True)
class _Processes:
    pool: ProcessPoolExecutor

    def answer(self, work: Work, sinks: Sinks, progress: Progress) -> Counted:
        """Pieces side by side."""
        tasks, counted = list(tasks_of(work, sinks)), Counted()
        answered = self.pool.map(partial(answer_piece, package=Package.of(work)), tasks)
        for task, done in zip(tasks, answered, strict=True):
            hand_over(task, sinks)
            counted.add(done)
            progress(counted.rows + len(counted.bad))
        return counted

    def each(self, do: Callable[[Given], Made], given: Iterable[Given]) -> Iterable[Made]:
        """Side by side."""
        return self.pool.map(do, given)
