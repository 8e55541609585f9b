"""Rows through a sum of trees without a walk: exactly what ONNX Runtime answers to one row.

For each value of an input (between two split values, or looked up) there is a row of masks, which
says for each tree what leaves are still possible. `And` over the rows of all inputs leaves each
tree the one leaf that is reached, and the leaves are added in the order of the trees. The idea is
that of QuickScorer (Lucchese et al., SIGIR 2015, doi:10.1145/2766462.2767733); here both ways of a
test clear bits, so one bit is left. A walk waits for memory at each of a thousand nodes; this reads
a few rows of masks from end to end.
"""

import io
import zipfile
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, isnan
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from contract.use_case.features import Columns

MASKS_FILE = "leaf_masks.npz"
LEAVES = 32  # bits of a mask, which is as many leaves as a tree may have
# The place of the one bit of a mask is the exponent of the mask as a float32.
EXPONENT_BITS, EXPONENT_BIAS = 23, 127
BLOCK_ROWS = 512  # are joined at once: 400 kB for 200 trees, and long enough calls for two threads
FEW_ROWS = 32  # up to so many one call for all inputs is faster than one for each
UNSEEN = object()
UINT32, FLOAT32, INT32 = np.dtype("<u4"), np.dtype("<f4"), np.dtype("<i4")
SHIFT = np.array(EXPONENT_BITS, INT32)  # of the type of what it shifts: half the time of a number

Link = Literal["identity", "sigmoid"]


@dataclass(frozen=True, slots=True)
class MaskArrays:
    """A sum of trees as it is stored; the input number i is the i-th of the scorer's plan."""

    masks: npt.NDArray[np.uint32]  # (n_rows, n_trees)
    leaves: npt.NDArray[np.float64]  # (n_trees, LEAVES)
    base: float  # is added to the sum
    link: Link
    # Of each input the row of masks: for each known value, then unseen, then null; or, where
    # nothing is looked up, for each interval that ends with a split value, the last, then null.
    rows: Sequence[npt.NDArray[np.int64]]
    splits: Sequence[npt.NDArray[np.float64]]  # ascending; none where values are looked up

    def pack(self) -> bytes:
        """As a file."""
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {f"rows_{i}": rows for i, rows in enumerate(self.rows)}
        arrays |= {f"splits_{i}": splits for i, splits in enumerate(self.splits)}
        arrays |= {"masks": self.masks, "leaves": self.leaves}
        np.savez_compressed(buffer, **arrays, base=np.array(self.base), link=np.array(self.link))
        return buffer.getvalue()


class MaskedInput(NamedTuple):
    """Which masks a value of a feature has: for one row those of all trees as one number."""

    feature: str
    known: Mapping[Any, int] | None  # None: nothing is looked up
    splits: list[float]
    between: list[int]  # the splits
    other: int  # unseen, or null where nothing is looked up


class RowsInput(NamedTuple):
    """Which row of masks each value of a feature has."""

    feature: str
    known: Mapping[Any, int] | None  # None: nothing is looked up
    splits: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]  # unseen; or between the splits, then null

    def of(self, values: Sequence[Any]) -> Sequence[int] | npt.NDArray[np.int64]:
        """The rows, (n_values,)."""
        if self.known is None:
            return self.of_numbers(np.array(values, dtype=np.float64))  # None becomes NaN
        look, unseen = self.known.get, int(self.rows[0])
        return [look(value, unseen) for value in values]

    def of_numbers(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """The rows, (n_values,), where nothing is looked up; NaN is null."""
        at = self.splits.searchsorted(numbers)
        at[np.isnan(numbers)] = len(self.rows) - 1
        return self.rows[at]


@dataclass(frozen=True, slots=True)
class LeafMasks:
    """A sum of trees, ready to answer."""

    one: tuple[MaskedInput, ...]
    many: tuple[RowsInput, ...]
    masks: npt.NDArray[np.uint32]  # (n_rows, n_trees)
    leaves: npt.NDArray[np.float64]  # of all trees, one after another
    before: npt.NDArray[np.int32]  # (n_trees,), is added to the exponent of a mask
    base: float
    link: Link

    def __call__(self, columns: Columns) -> npt.NDArray[np.float64]:
        """The answers to all rows, (n_rows, n_outputs)."""
        return self.of_rows(np.array([part.of(columns[part.feature]) for part in self.many]).T)

    def of_rows(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The answers (n_rows, n_outputs) where each row's masks are known, (n_rows, n_inputs)."""
        sums = np.empty(len(rows))
        for at in range(0, len(rows), BLOCK_ROWS):
            block = rows[at : at + BLOCK_ROWS]
            join = self._join_few if len(block) <= FEW_ROWS else self._join
            sums[at : at + BLOCK_ROWS] = self._sums(join(block))
        margins = sums + self.base
        if self.link == "identity":
            return margins[:, None]
        chances = sigmoids(margins)
        return np.stack([1.0 - chances, chances], axis=1)

    def run_one(self, columns: Columns) -> list[float]:
        """The answer to the one row of the columns, (n_outputs,)."""
        left = -1
        for feature, known, splits, between, other in self.one:
            value = columns[feature][0]
            if known is not None:
                left &= known.get(value, other)
            elif value is None or isnan(value):
                left &= other
            else:  # as a float64, in which the graph compares
                left &= between[bisect_left(splits, float(value))]
        masks = np.frombuffer(left.to_bytes(len(self.before) * UINT32.itemsize, "little"), UINT32)
        margin = self._sums(masks).item() + self.base
        if self.link == "identity":
            return [margin]
        chance = sigmoid(margin)
        return [1.0 - chance, chance]

    def _join_few(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """The leaves that are left (n_rows, n_trees) by masks of rows (n_rows, n_inputs)."""
        left: npt.NDArray[np.uint32] = np.bitwise_and.reduce(self.masks.take(rows, 0), axis=1)
        return left

    def _join(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """The same, input by input, in places that stay in the processor's cache."""
        first, *others = rows.T
        left: npt.NDArray[np.uint32] = self.masks.take(first, 0)
        more = np.empty_like(left)
        for other in others:
            self.masks.take(other, 0, more, "clip")  # "raise" would copy what it puts into `more`
            np.bitwise_and(left, more, left)
        return left

    def _sums(self, left: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
        """The sum of the leaves that masks (..., n_trees) name, in the order of the trees.

        `sum` over the trees of a row would add in pairs, and end with other digits than ONNX
        Runtime. Trees one below the other are added row by row, many sums at a time.
        """
        places = left.astype(FLOAT32).view(INT32)
        np.right_shift(places, SHIFT, places)
        np.add(places, self.before, places)
        leaves: npt.NDArray[np.float64] = self.leaves.take(places)
        if leaves.size > FEW_ROWS * len(self.before):
            sums: npt.NDArray[np.float64] = np.add.reduce(np.ascontiguousarray(leaves.T), 0)
            return sums
        np.add.accumulate(leaves, -1, None, leaves)
        return leaves[..., -1]


def sigmoid(margin: float) -> float:
    """The logistic function as ONNX Runtime computes it for one number."""
    if margin > 0:
        return 1 / (1 + exp(-margin))
    return 1 - 1 / (1 + exp(margin))


def sigmoids(margins: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same of many, (n,), with the same digits: `exp` of numpy rounds otherwise."""
    powers = np.array(list(map(exp, (-np.abs(margins)).tolist())))
    above = 1 / (1 + powers)
    return np.where(margins > 0, above, 1 - above)


def open_masks(packed: bytes, inputs: Sequence[tuple[str, Sequence[Any] | None]]) -> LeafMasks:
    """The masks of a file, for inputs by feature and known values (None: nothing is looked up).

    ValueError or KeyError where it can't be read.
    """
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
            arrays = dict(stored)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{MASKS_FILE} is damaged") from error
    masks, leaves = arrays["masks"].astype(UINT32), arrays["leaves"]
    found = [
        _input(feature, keys, arrays[f"rows_{i}"], arrays[f"splits_{i}"], masks)
        for i, (feature, keys) in enumerate(inputs)
    ]
    return LeafMasks(
        tuple(one for one, _ in found),
        tuple(many for _, many in found),
        masks,
        leaves.ravel(),
        np.arange(len(leaves), dtype=INT32) * LEAVES - EXPONENT_BIAS,
        float(arrays["base"]),
        "sigmoid" if str(arrays["link"]) == "sigmoid" else "identity",
    )


def _input(
    feature: str,
    keys: Sequence[Any] | None,
    rows: npt.NDArray[np.int64],
    splits: npt.NDArray[np.float64],
    masks: npt.NDArray[np.uint32],
) -> tuple[MaskedInput, RowsInput]:
    numbers = [int.from_bytes(masks[row].tobytes(), "little") for row in rows]
    if keys is None:
        one = MaskedInput(feature, None, splits.tolist(), numbers[:-1], numbers[-1])
        return one, RowsInput(feature, None, splits, rows)
    known = [*keys, UNSEEN, None]
    by_value = dict(zip(known, numbers, strict=True))
    rows_by_value = dict(zip(known, rows.tolist(), strict=True))
    return (
        MaskedInput(feature, by_value, [], [], by_value.pop(UNSEEN)),
        RowsInput(feature, rows_by_value, splits, np.array([rows_by_value.pop(UNSEEN)])),
    )
