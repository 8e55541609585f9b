"""The cells in which values are counted, frozen from the reference of a version.

Numbers fall into the deciles of the reference, the usual choice for stability indices (Siddiqi,
2006), words into the words of the reference. A bound lies between two values, never on one: the
same model gives answers that differ in their last digits, by the rows that are asked at once or by
the machine, and many rows of a score with few values would change their cell.

Nulls, infinite values, values beyond the range of the reference and words that it does not know
have cells of their own, so every row is in one cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contract.use_case.sections.column import Column

Counts = npt.NDArray[np.int64]  # rows in each cell, (n_cells,)
Cell = npt.NDArray[np.int64]  # (n_rows,)
Floats = npt.NDArray[np.float64]  # (n_rows,)

# Values nearer than this, times their size, are one: a sum of a thousand terms in another order is
# off by up to 2e-13, and what a measurement means has no such digits.
SAME = 1e-12
MIN_WORD_ROWS = 5
MAX_WORDS = 100
NULL, NOT_FINITE, BELOW, FIRST = 0, 1, 2, 3  # cells of a number


@dataclass(frozen=True)
class NumberCells:
    """Null, not finite, below the lowest, up to each bound, above the last."""

    lowest: float
    bounds: tuple[float, ...]  # rising; the last is the highest value of the reference

    @property
    def names(self) -> tuple[str, ...]:
        """What each cell holds."""
        upto = (f"≤ {bound:g}" for bound in self.bounds)
        return (
            "null",
            "not finite",
            f"< {self.lowest:g}",
            *upto,
            f"> {self.bounds[-1] if self.bounds else self.lowest:g}",
        )

    def of(self, values: pa.Array) -> Cell:
        """The cell of each value, (n_rows,): an index into `names`."""
        numbers = as_floats(values)
        cell = FIRST + np.searchsorted(self.bounds, numbers, side="left")
        cell[numbers < self.lowest] = BELOW
        cell[~np.isfinite(numbers)] = NOT_FINITE
        cell[np.asarray(values.is_null())] = NULL
        return cell


@dataclass(frozen=True)
class WordCells:
    """Null, one cell for each word, and one for all others."""

    words: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What each cell holds."""
        return ("null", *self.words, "other")

    def of(self, values: pa.Array) -> Cell:
        """The cell of each value, (n_rows,): an index into `names`."""
        texts = as_words(values)
        index = pc.index_in(texts, value_set=pa.array(self.words, pa.string()))
        cell: Cell = np.asarray(pc.fill_null(index, len(self.words)), dtype=np.int64) + 1
        cell[np.asarray(values.is_null())] = NULL
        return cell


Cells = NumberCells | WordCells


def is_number(column: Column) -> bool:
    """Whether values of a column are counted as numbers; a moment is one."""
    return column.type in ("integer", "number", "timestamp")


def number_cells(values: pa.Array) -> NumberCells:
    """Cells of a number, from the values of the reference, (n_rows,): its deciles.

    Fewer where values repeat, since a bound lies between two of them. Nulls and infinite values
    move no bound; without one finite value there is none.
    """
    numbers = as_floats(values)
    rising = np.sort(numbers[np.isfinite(numbers)])
    if not len(rising):
        return NumberCells(0.0, ())
    gaps = np.flatnonzero(apart(rising)) + 1  # as many rows lie below each
    ranks = np.ceil(np.arange(1, 10) * len(rising) / 10)
    at = np.unique(np.searchsorted(gaps, ranks))
    above = gaps[at[at < len(gaps)]]
    slack = _slack(rising)
    between: list[float] = (rising[above - 1] / 2 + rising[above] / 2).tolist()
    highest = float(rising[-1]) + float(slack[-1])  # infinite next to the largest number of all
    return NumberCells(float(rising[0]) - float(slack[0]), (*between, highest))


def apart(rising: Floats) -> npt.NDArray[np.bool_]:
    """Whether each value but the first is another than the one before it, (n_rows - 1,).

    `rising` are finite values in rising order, (n_rows,).
    """
    slack = _slack(rising)
    # Halves, for a difference of two large numbers may be too large for one.
    return np.diff(rising / 2) > np.maximum(slack[1:], slack[:-1]) / 2


def _slack(rising: Floats) -> Floats:
    """How far each value may be off and still be the same.

    A small one among large ones is often their difference, and no more exact than they are: so nine
    tenths of all sizes are the least one. A few that are far larger say nothing of the others.
    """
    size = np.abs(rising)
    least = np.quantile(size, 0.9) if len(size) else 0.0
    return SAME * np.maximum(size, least) + np.finfo(float).tiny


def word_cells(values: pa.Array, declared: Sequence[str] | None) -> tuple[WordCells, pa.Array]:
    """Cells of words, and the values of the reference to count in them.

    `values` are those of the reference, (n_rows,), `declared` the column's categories, None where
    it has none. Words that the use case does not declare are chosen on every other row and counted
    on the rest: a word chosen for being frequent is on average less frequent elsewhere, and a
    column of ten thousand rare words would seem to drift.
    """
    texts = as_words(values)
    if declared is not None:
        return WordCells(tuple(declared)), texts
    if pa.types.is_boolean(values.type):
        return WordCells(("false", "true")), texts
    odd = np.arange(len(texts)) % 2 == 1
    seen = texts.filter(pa.array(~odd)).drop_null().value_counts().to_pylist()
    frequent = sorted((-e["counts"], e["values"]) for e in seen if e["counts"] >= MIN_WORD_ROWS)
    words = tuple(word for _, word in frequent[:MAX_WORDS])
    return WordCells(words), texts.filter(pa.array(odd))


def count(cell: Cell, cells: Cells) -> Counts:
    """Rows in each cell, (n_cells,), from the cell of each row, (n_rows,)."""
    return np.bincount(cell, minlength=len(cells.names)).astype(np.int64)


def as_floats(values: pa.Array) -> Floats:
    """Values as float64, (n_rows,): null as NaN, a moment as microseconds since 1970.

    pyarrow.ArrowInvalid where a text is no number.
    """
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    numbers = values.cast(pa.float64(), safe=False)
    return np.asarray(pc.fill_null(numbers, np.nan), dtype=np.float64).copy()


def as_words(values: pa.Array) -> pa.Array:
    """Values as text, (n_rows,); true and false for a boolean, null stays null."""
    return values.cast(pa.string())
