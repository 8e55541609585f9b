"""Answers on the machine that asks, in threads."""

from pipelines.scoring.engines.work import Work
from pipelines.scoring.pieces import numbered
from pipelines.scoring.through import Counted, Progress, Sinks, through


def answer(work: Work, sinks: Sinks, progress: Progress) -> Counted:
    """One piece after the other."""
    parts = numbered(enumerate(work.source.pieces()))
    return through(work.asked, work.served, parts, sinks, progress, work.threads)
