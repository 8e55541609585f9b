"""One row through a sum of trees without a walk: exactly what ONNX Runtime answers to one row.

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
UINT32, FLOAT32, INT32 = np.dtype("<u4"), np.dtype("<f4"), np.dtype("<i4")

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
    """The masks that a value of a feature has: those of all trees as one number."""

    feature: str
    known: Mapping[Any, int] | None  # None: nothing is looked up
    splits: list[float]
    between: list[int]  # the splits
    other: int  # unseen, or null where nothing is looked up


@dataclass(frozen=True, slots=True)
class LeafMasks:
    """A sum of trees, ready to answer one row."""

    inputs: tuple[MaskedInput, ...]
    leaves: npt.NDArray[np.float64]  # of all trees, one after another
    before: npt.NDArray[np.int64]  # (n_trees,), the exponent of a mask is added to it
    base: float
    link: Link

    def __call__(self, columns: Columns) -> list[float]:
        """The answer to the one row of the columns, (n_outputs,)."""
        left = -1
        for feature, known, splits, between, other in self.inputs:
            value = columns[feature][0]
            if known is not None:
                left &= known.get(value, other)
            elif value is None or isnan(value):
                left &= other
            else:  # as a float64, in which the graph compares
                left &= between[bisect_left(splits, float(value))]
        masks = np.frombuffer(left.to_bytes(len(self.before) * UINT32.itemsize, "little"), UINT32)
        leaves = self.leaves[self.before + (masks.astype(FLOAT32).view(INT32) >> EXPONENT_BITS)]
        # Added in the order of the trees, where `sum` adds in pairs.
        margin = np.add.accumulate(leaves).item(-1) + self.base
        if self.link == "identity":
            return [margin]
        chance = sigmoid(margin)
        return [1.0 - chance, chance]


def sigmoid(margin: float) -> float:
    """The logistic function as ONNX Runtime computes it for one number."""
    if margin > 0:
        return 1 / (1 + exp(-margin))
    return 1 - 1 / (1 + exp(margin))


def open_masks(packed: bytes, inputs: Sequence[tuple[str, Sequence[Any] | None]]) -> LeafMasks:
    """The masks of a file, for inputs by feature and known values (None: nothing is looked up).

    ValueError or KeyError where it can't be read.
    """
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
            arrays = dict(stored)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{MASKS_FILE} is damaged") from error
    masks = [int.from_bytes(row.tobytes(), "little") for row in arrays["masks"].astype(UINT32)]
    leaves = arrays["leaves"]
    return LeafMasks(
        tuple(
            _input(
                feature,
                keys,
                [masks[row] for row in arrays[f"rows_{i}"].tolist()],
                arrays[f"splits_{i}"].tolist(),
            )
            for i, (feature, keys) in enumerate(inputs)
        ),
        leaves.ravel(),
        np.arange(len(leaves)) * LEAVES - EXPONENT_BIAS,
        float(arrays["base"]),
        "sigmoid" if str(arrays["link"]) == "sigmoid" else "identity",
    )


def _input(
    feature: str, keys: Sequence[Any] | None, masks: list[int], splits: list[float]
) -> MaskedInput:
    if keys is None:
        return MaskedInput(feature, None, splits, masks[:-1], masks[-1])
    *known, unseen, null = masks
    return MaskedInput(feature, dict(zip(keys, known, strict=True)) | {None: null}, [], [], unseen)
