"""Whether the gate's limits ask for more than a constant answer gives."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from contract.statistics.metrics import Scored, defined, metric_values
from contract.store.schema import conform
from contract.use_case.model import UseCase
from pipelines.model.baseline import baseline, idle_limits
from pipelines.proposing.checking.finding import CheckFinding, warning
from pipelines.sources.first_rows import FirstRows

ENOUGH_LABELS = 20


def check(use_case: UseCase, first: FirstRows) -> Iterator[CheckFinding]:
    """Limits that a model which learned nothing would keep, on the first rows."""
    conformed = conform(first.table, use_case)
    if use_case.target in (*conformed.missing, *conformed.retyped):
        return
    column = conformed.table.column(use_case.target).drop_null()
    figures = _constant_figures(use_case, column)
    for sentence in idle_limits(use_case.gates, figures):
        yield warning(f"{sentence} on the first {len(column):,} labelled rows")


def _constant_figures(use_case: UseCase, column: pa.ChunkedArray) -> dict[str, float]:
    """Metrics of the constant answer; none where there is too little to say."""
    label = np.asarray(column.to_pylist())
    if not use_case.classifies and not np.issubdtype(label.dtype, np.number):
        return {}
    classes = tuple(np.unique(label).tolist()) if use_case.classifies else ()
    positive = use_case.positive
    odd = use_case.classifies and (len(classes) < 2 or positive not in (None, *classes))
    if len(label) < ENOUGH_LABELS or odd or (use_case.task == "binary" and len(classes) > 2):
        return {}
    scored = baseline(label, Scored(label, label, None, classes), use_case)
    return defined(metric_values(use_case, scored))
