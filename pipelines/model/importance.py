"""Permutation importance: what a fitted pipeline loses when one of its inputs is shuffled."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from contract.statistics.metrics import SMALLER_IS_BETTER, Floats, metrics_for, point
from contract.store.frames import feature_frame
from contract.use_case.model import UseCase
from pipelines.model.fitted import labels, score_inputs, weights
from pipelines.model.results import Measured

ROWS, FEWEST_ROWS = 4000, 1000
# Rows times encoded columns times classes: what an estimator reads and answers for each shuffle.
CELLS = 800_000
CELLS_AT_ONCE = 4_000_000  # 32 MB: each call of an estimator costs something for every column
REPEATS = 3


def permutation(model: Pipeline, rows: pa.Table, use_case: UseCase) -> dict[str, Measured]:
    """How much worse the main metric gets when one feature is shuffled (Breiman, 2001), by name:
    the mean of REPEATS shuffles, and the least and the greatest of them.

    On a seeded sample of ROWS rows, fewer of many columns or classes. They are encoded once, and
    what is shuffled are the encoded columns of a feature: encoding every feature anew for each
    shuffle of one made the cost grow with the square of their number. It holds for encoders that
    make each of their columns from one feature, row by row, as all of `preprocess` do.
    """
    random = np.random.default_rng(0)
    n = min(ROWS, rows.num_rows)
    rows = rows.take(pa.array(random.choice(rows.num_rows, n, replace=False)))
    encoder, estimator = model[:-1], model[-1]
    frame = feature_frame(rows, use_case)
    matrix = encoder.transform(frame)
    width = max(matrix.shape[1], 1) * max(len(getattr(estimator, "classes_", ())), 1)
    n = min(n, max(FEWEST_ROWS, CELLS // width))
    encoded, frame, rows = _dense(matrix[:n]), frame[:n], rows.slice(0, n)
    label, weight = labels(rows, use_case), weights(rows, use_case)
    origin = origins(encoder, frame, encoded)
    name = use_case.evaluation.metric

    def measured(inputs: Floats) -> list[float]:
        """The main metric on each block of the sample's rows, (n_blocks * n, n_columns)."""
        n_blocks = len(inputs) // n
        many = None if weight is None else np.tile(weight, n_blocks)
        # Booleans beside numbers make a matrix of objects, and so it was fitted.
        seen = inputs.astype(matrix.dtype)
        scored = score_inputs(estimator, seen, np.tile(label, n_blocks), use_case, many)
        blocks = (scored.rows(np.repeat(np.arange(n_blocks) == k, n)) for k in range(n_blocks))
        return [point({name: metrics_for(use_case, b)[name]}, n)[name] for b in blocks]

    shuffles = [
        (at, random.permutation(n)) for at in range(len(frame.columns)) for _ in range(REPEATS)
    ]
    found = [value for inputs in _shuffled(encoded, origin, shuffles) for value in measured(inputs)]
    sign, (whole,) = 1 if name in SMALLER_IS_BETTER else -1, measured(encoded)
    lost = sign * (np.reshape(found, (-1, REPEATS)) - whole)
    spread = zip(lost.mean(axis=1), lost.min(axis=1), lost.max(axis=1), strict=True)
    return {
        str(feature): (float(mean), float(least), float(most))
        for feature, (mean, least, most) in zip(frame, spread, strict=True)
    }


def _shuffled(
    encoded: Floats,
    origin: npt.NDArray[np.int64],
    shuffles: Sequence[tuple[int, npt.NDArray[np.int64]]],
) -> Iterator[Floats]:
    """For each shuffle of a feature a block of the encoded rows, (n_blocks * n, n_columns) at once:
    as many as CELLS_AT_ONCE allows."""
    together = max(1, CELLS_AT_ONCE // max(encoded.size, 1))
    for start in range(0, len(shuffles), together):
        some = shuffles[start : start + together]
        inputs = np.tile(encoded, (len(some), 1))
        for block, (at, order) in zip(np.split(inputs, len(some)), some, strict=True):
            columns = np.flatnonzero(origin == at)
            block[:, columns] = encoded[np.ix_(order, columns)]
        yield inputs


def origins(encoder: Any, frame: pd.DataFrame, encoded: Floats) -> npt.NDArray[np.int64]:
    """From which feature of the frame each encoded column is made, (n_columns,); -1: constant.

    Asked of the encoder itself: features are numbered from one, and for each binary digit those
    that have it are moved by a row. The columns that change spell the number of their feature, so
    ten encodings tell a thousand features apart.
    """
    n_features, number = len(frame.columns), np.zeros(encoded.shape[1], dtype=np.int64)
    still = frame.reset_index(drop=True)
    moved = still.iloc[np.roll(still.index, 1)].reset_index(drop=True)
    for digit in range(n_features.bit_length()):
        parts = {
            name: (moved if (at + 1) >> digit & 1 else still)[name] for at, name in enumerate(frame)
        }
        probed = _dense(encoder.transform(pd.DataFrame(parts)))
        same = (probed == encoded) | (np.isnan(probed) & np.isnan(encoded))
        number |= (~same.all(axis=0)).astype(np.int64) << digit
    return number - 1


def _dense(encoded: Any) -> Floats:
    """Encoded rows as a writable array."""
    dense: Floats = np.array(encoded.toarray() if issparse(encoded) else encoded, dtype=float)
    return dense
