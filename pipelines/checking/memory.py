"""How much memory the encoded matrix of all rows will take, from the first ones."""

from collections import Counter
from collections.abc import Iterator

import psutil
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.preprocessing import OneHotEncoder

from contract.errors import BadInput
from contract.use_case.model import UseCase
from pipelines.checking.finding import CheckFinding, warning
from pipelines.model.preprocess import build_pipeline
from pipelines.sources.first_rows import FirstRows

BYTES = 8  # of a cell, float64
GIB = 1024**3


def check(use_case: UseCase, first: FirstRows) -> Iterator[CheckFinding]:
    """A dense one-hot matrix that does not fit into what is free now, with its widest column."""
    if first.total is None:
        return
    widths = one_hot_widths(use_case, first)
    plain = len(use_case.features) - len(widths)
    size = first.total * (sum(widths.values()) + plain) * BYTES
    free = psutil.virtual_memory().available
    if widths and size > free:
        widest = max(widths, key=lambda name: widths[name])
        yield warning(
            f"estimator: {first.total:,} rows one-hot take about {size / GIB:.1f} GiB, "
            f"{free / GIB:.1f} GiB are free; {widest} alone has about {widths[widest]:,} values. "
            "sklearn.ensemble.HistGradientBoosting* takes values as they are"
        )


def one_hot_widths(use_case: UseCase, first: FirstRows) -> dict[str, int]:
    """Columns of the matrix that each feature becomes which is encoded dense and one-hot."""
    rows, whole = first.table, first.total == first.table.num_rows
    try:
        encode = build_pipeline(use_case, use_case.estimator.parameters).named_steps["encode"]
    except BadInput:
        return {}  # the check of the estimator says why
    widths = {}
    for _, encoder, names in encode.transformers:
        if isinstance(encoder, OneHotEncoder) and not encoder.sparse_output:
            for name in sorted(set(names) & set(rows.column_names)):
                values = expected_values(rows.column(name), whole)
                widths[name] = min(values, encoder.max_categories or values)
    return widths


def expected_values(column: pa.ChunkedArray, whole: bool) -> int:
    """How many different values a column has in all, from the whole of it or a part.

    Of a part Chao's lower bound (1984): the values seen, and the square of those seen once over
    twice those seen twice.
    """
    counts = Counter(pc.value_counts(column.drop_null()).field("counts").to_pylist())
    once, twice = counts[1], counts[2]
    unseen = once**2 / (2 * twice) if twice else once * (once - 1) / 2
    return round(counts.total() + (0 if whole else unseen))
