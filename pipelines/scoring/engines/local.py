"""Answers on the machine that asks, in threads."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pipelines.scoring.engines.engine import Crew, Given, Made, Work
from pipelines.scoring.pieces import numbered
from pipelines.scoring.through import Counted, Progress, Sinks, through


@contextmanager
def engine() -> Iterator[Crew]:
    """Nothing has to be begun."""
    yield _Threads()


class _Threads:
    def answer(self, work: Work, sinks: Sinks, progress: Progress) -> Counted:
        """One piece after the other."""
        parts = numbered(enumerate(work.source.pieces()))
        return through(work.asked, work.served, parts, sinks, progress, work.threads)

    def each(self, do: Callable[[Given], Made], given: Iterable[Given]) -> Iterable[Made]:
        """One after the other."""
        return map(do, given)
