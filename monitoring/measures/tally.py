"""Exact figures of one column over all rows of a window, whose parts may be counted anywhere."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitoring.measures.bins import NULL, Cells, Counts, NumberCells, as_floats, count
from monitoring.measures.exact_sum import exact_mean, exact_sum


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


@dataclass(frozen=True)
class Tally:
    """What some rows of a column come to; the tallies of any parts add up to that of the whole."""

    cells: Cells
    counts: Counts
    low: float = np.inf
    high: float = -np.inf
    total: int = 0  # of finite numbers, as `exact_sum` gives it
    finite: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """What the rows of both come to, counted in the same cells."""
        return Tally(
            self.cells,
            self.counts + other.counts,
            min(self.low, other.low),
            max(self.high, other.high),
            self.total + other.total,
            self.finite + other.finite,
        )

    def summary(self) -> ColumnSummary:
        """The figures; range and mean are NaN where no finite number was."""
        if not self.finite:
            return ColumnSummary(self.cells, self.counts)
        mean = exact_mean(self.total, self.finite)
        return ColumnSummary(self.cells, self.counts, self.low, self.high, mean)


def tally(cells: Cells, values: pa.Array) -> Tally:
    """Count values, (n_rows,); pyarrow.ArrowInvalid where a text is no number."""
    counts = count(cells.of(values), cells)
    if not isinstance(cells, NumberCells):
        return Tally(cells, counts)
    numbers = as_floats(values)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return Tally(cells, counts)
    # Of 0.0 and -0.0 either is the lowest, by the order of the rows: adding zero makes it the one.
    low, high = (float(end) + 0.0 for end in (finite.min(), finite.max()))
    return Tally(cells, counts, low, high, exact_sum(finite), len(finite))


def summarise(cells: Cells, values: pa.Array) -> ColumnSummary:
    """The figures of a whole column, (n_rows,), at once."""
    return tally(cells, values).summary()
