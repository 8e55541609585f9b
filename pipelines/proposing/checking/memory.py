"""How much memory the encoded matrix of all rows will take, from the first ones."""

from collections import Counter
from collections.abc import Iterator

import psutil
import pyarrow as pa
import pyarrow.compute as pc

from contract.errors import BadInput, Refused
from contract.use_case.model import UseCase
from pipelines.model.estimator import build_estimator
from pipelines.model.preprocess import is_sparse, matrix_widths
from pipelines.model.refusal import check_rows
from pipelines.proposing.checking.finding import CheckFinding, warning
from pipelines.sources.first_rows import FirstRows

BYTES = 8  # of a cell, float64
GIB = 1024**3


def check(use_case: UseCase, first: FirstRows) -> Iterator[CheckFinding]:
    """A matrix that would be refused before the fit, or that does not fit into what is free now.

    The numbers of rows and of values are estimates, so the fit itself decides.
    """
    if first.total is None:
        return
    try:
        estimator = build_estimator(use_case, use_case.estimator.parameters)
    except BadInput:
        return  # the check of the estimator says why
    values, classes = expected(use_case, first)
    try:
        check_rows(use_case, first.total)
        sparse = is_sparse(use_case, estimator, first.total, values, classes)
    except Refused as refused:
        yield warning(f"of about {first.total:,} rows: {refused}".rstrip("."))
        return
    size = first.total * sum(matrix_widths(use_case, estimator, values, classes).values()) * BYTES
    free = psutil.virtual_memory().available
    if not sparse and size > free:
        yield warning(
            f"estimator: about {first.total:,} rows take {size / GIB:.1f} GiB as its matrix, and "
            f"{free / GIB:.1f} GiB are free"
        )


def expected(use_case: UseCase, first: FirstRows) -> tuple[dict[str, int], int]:
    """How many values each text feature has in all, and how many classes the target; 1 but for a
    multiclass one."""
    rows, whole = first.table, first.total == first.table.num_rows
    values = {
        name: expected_values(rows.column(name), whole)
        for name, column in use_case.feature_columns.items()
        if column.type == "string" and name in rows.column_names
    }
    many = use_case.task == "multiclass" and use_case.target in rows.column_names
    return values, expected_values(rows.column(use_case.target), True) if many else 1


def expected_values(column: pa.ChunkedArray, whole: bool) -> int:
    """How many different values a column has in all, from the whole of it or a part.

    Of a part Chao's lower bound (1984): the values seen, and the square of those seen once over
    twice those seen twice.
    """
    counts = Counter(pc.value_counts(column.drop_null()).field("counts").to_pylist())
    once, twice = counts[1], counts[2]
    unseen = once**2 / (2 * twice) if twice else once * (once - 1) / 2
    return round(counts.total() + (0 if whole else unseen))
