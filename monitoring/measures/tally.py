"""Exact figures of one column over all rows of a window, added up part by part."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from monitoring.measures.bins import NULL, Cells, Counts, NumberCells, as_floats, count


@dataclass(frozen=True)
class ColumnSummary:
    """What a column held: rows in each cell and, of a number, range and mean of finite values."""

    cells: Cells
    counts: Counts
    low: float = float("nan")
    high: float = float("nan")
    mean: float = float("nan")

    @property
    def rows(self) -> int:
        """How many rows were counted."""
        return int(self.counts.sum())

    @property
    def nulls(self) -> int:
        """How many of them hold no value."""
        return int(self.counts[NULL])

    @property
    def null_share(self) -> float:
        """Share of rows without a value; NaN of no rows."""
        return self.nulls / self.rows if self.rows else float("nan")


@dataclass
class Tally:
    """Adds up a column, one part of the window after the other."""

    cells: Cells
    counts: Counts = field(init=False)
    low: float = np.inf
    high: float = -np.inf
    total: float = 0.0
    finite: int = 0

    def __post_init__(self) -> None:
        self.counts = np.zeros(len(self.cells.names), dtype=np.int64)

    def add(self, values: pa.Array) -> None:
        """Count these values too, (n_rows,); pyarrow.ArrowInvalid where a text is no number."""
        self.counts += count(self.cells.of(values), self.cells)
        if isinstance(self.cells, NumberCells):
            numbers = as_floats(values)
            finite = numbers[np.isfinite(numbers)]
            if len(finite):
                self.low = min(self.low, float(finite.min()))
                self.high = max(self.high, float(finite.max()))
                self.total += float(finite.sum())
                self.finite += len(finite)

    def summary(self) -> ColumnSummary:
        """What was counted so far; range and mean are NaN where no finite number was."""
        if not self.finite:
            return ColumnSummary(self.cells, self.counts)
        mean = self.total / self.finite
        return ColumnSummary(self.cells, self.counts, self.low, self.high, mean)


def summarise(cells: Cells, values: pa.Array) -> ColumnSummary:
    """The figures of a whole column, (n_rows,), at once."""
    tally = Tally(cells)
    tally.add(values)
    return tally.summary()
