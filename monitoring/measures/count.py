"""Exact figures of a window: every row is counted once, in whatever parts the rows come.

A part is counted by a pure function of its rows and the frozen cells, and what it comes to is small
and adds up to the same bits however the window was parted. So parts may be counted one after the
other here, or by workers elsewhere.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial, reduce

import pyarrow as pa
import pyarrow.compute as pc

from contract.store.frames import whole
from contract.store.predictions import INPUT
from monitoring.measures.bins import Cells
from monitoring.measures.compare import ColumnSummaries
from monitoring.measures.tally import Tally, tally
from monitoring.windows.rows import SCORE, WindowReader


@dataclass(frozen=True)
class WindowCounts:
    """How many rows a window holds, of which moments, and what stood in their columns."""

    rows: int
    first: datetime | None
    last: datetime | None
    columns: ColumnSummaries


@dataclass(frozen=True)
class FrozenCells:
    """The cells that the columns of a window are counted in; `prediction` is None without any."""

    features: Mapping[str, Cells]
    prediction: Cells | None

    @classmethod
    def of(cls, frozen: ColumnSummaries | None, features: list[str]) -> "FrozenCells":
        """Of the features that are read, those of the reference; without a reference none."""
        if frozen is None:
            return cls({}, None)
        known = {n: s.cells for n, s in frozen.features.items() if n in features}
        return cls(known, frozen.prediction.cells if frozen.prediction else None)


@dataclass(frozen=True)
class PartCounts:
    """What some rows of a window come to."""

    rows: int
    first: datetime | None
    last: datetime | None
    features: Mapping[str, Tally]
    prediction: Tally | None

    def __add__(self, other: "PartCounts") -> "PartCounts":
        """What the rows of both come to, counted in the same cells."""
        firsts, lasts = (self.first, other.first), (self.last, other.last)
        answers = [side.prediction for side in (self, other) if side.prediction is not None]
        return PartCounts(
            self.rows + other.rows,
            min((m for m in firsts if m is not None), default=None),
            max((m for m in lasts if m is not None), default=None),
            {name: found + other.features[name] for name, found in self.features.items()},
            answers[0] + answers[1] if answers else None,
        )

    def figures(self) -> WindowCounts:
        """The figures of these rows as a window."""
        features = {name: found.summary() for name, found in self.features.items()}
        answers = self.prediction.summary() if self.prediction is not None else None
        return WindowCounts(
            self.rows, self.first, self.last, ColumnSummaries(features, answers, None)
        )


Each = Callable[
    [Callable[[WindowReader], PartCounts], Iterable[WindowReader]], Iterable[PartCounts]
]
"""Calls a function for each value, anywhere, and gives what comes of it; `map` is one."""


def count_part(rows: pa.Table, cells: FrozenCells) -> PartCounts:
    """Count rows as `WindowReader.stream` gives them."""
    bounds = pc.min_max(rows.column("event_time")).as_py()
    features = {
        name: tally(found, whole(rows.column(INPUT + name)))
        for name, found in cells.features.items()
    }
    answers = cells.prediction and tally(cells.prediction, whole(rows.column(SCORE)))
    return PartCounts(rows.num_rows, bounds["min"], bounds["max"], features, answers or None)


def no_rows(cells: FrozenCells) -> PartCounts:
    """What no rows come to."""
    features = {name: tally(found, pa.nulls(0)) for name, found in cells.features.items()}
    answers = tally(cells.prediction, pa.nulls(0)) if cells.prediction is not None else None
    return PartCounts(0, None, None, features, answers)


def count_parts(parts: Iterable[pa.Table], cells: FrozenCells) -> PartCounts:
    """Count parts one after the other; each is forgotten once counted."""
    return reduce(PartCounts.__add__, (count_part(part, cells) for part in parts), no_rows(cells))


def count_reader(reader: WindowReader, cells: FrozenCells, score: int | None) -> PartCounts:
    """What all rows of a reader come to; like its arguments it can be sent to another machine.

    `score` is the index of the probability that stands for the prediction, None: it stands itself.
    """
    return count_parts(reader.stream(list(cells.features), score), cells)


def count_window(
    reader: WindowReader,
    features: list[str],
    frozen: ColumnSummaries | None,
    score: int | None,
    each: Each | None = None,
) -> WindowCounts:
    """Count every row; without a reference only the rows themselves.

    `each` lets workers count, a day each; None: they are counted here. The figures are the same.
    """
    cells = FrozenCells.of(frozen, features)
    if each is None:
        return count_reader(reader, cells, score).figures()
    count = partial(count_reader, cells=cells, score=score)
    return reduce(PartCounts.__add__, each(count, reader.days()), no_rows(cells)).figures()
