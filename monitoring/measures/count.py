"""Exact figures of a window: one pass over all of its rows, part by part."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow.compute as pc

from contract.store.predictions import INPUT
from monitoring.measures.compare import ColumnSummaries
from monitoring.measures.tally import Tally
from monitoring.windows.rows import SCORE, WindowReader


@dataclass(frozen=True)
class WindowCounts:
    """How many rows a window holds, of which moments, and what stood in their columns."""

    rows: int
    first: datetime | None
    last: datetime | None
    columns: ColumnSummaries


def count_window(
    reader: WindowReader, features: list[str], frozen: ColumnSummaries | None, score: int | None
) -> WindowCounts:
    """Count every row; without a reference only the rows themselves.

    `score` is the index of the probability that stands for the prediction, None: it stands itself.

    Memory does not grow with the rows: the cells are frozen, and a part is forgotten once counted.
    """
    tallies = {name: Tally(s.cells) for name, s in frozen.features.items()} if frozen else {}
    tallies = {name: tally for name, tally in tallies.items() if name in features}
    answers = Tally(frozen.prediction.cells) if frozen and frozen.prediction else None
    rows, moments = 0, []
    for part in reader.stream(list(tallies), score):
        rows += part.num_rows
        for name, tally in tallies.items():
            tally.add(part.column(INPUT + name).combine_chunks())
        if answers:
            answers.add(part.column(SCORE).combine_chunks())
        bounds = pc.min_max(part.column("event_time")).as_py()
        moments += [m for m in bounds.values() if m is not None]
    columns = ColumnSummaries(
        {name: tally.summary() for name, tally in tallies.items()},
        answers.summary() if answers else None,
        None,
    )
    return WindowCounts(rows, min(moments, default=None), max(moments, default=None), columns)
