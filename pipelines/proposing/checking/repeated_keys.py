"""Whether keys repeat in the first rows; validation decides over all of them."""

from collections.abc import Iterator

import numpy as np

from contract.store.rows.fingerprint import row_hashes
from contract.store.schema import conform
from contract.use_case.model import UseCase
from pipelines.proposing.checking.finding import CheckFinding, warning
from pipelines.sources.first_rows import FirstRows


def check(use_case: UseCase, first: FirstRows) -> Iterator[CheckFinding]:
    """How many rows share their key with another, and how many have none."""
    keys = list(use_case.keys)
    conformed = conform(first.table, use_case)
    if not keys or {*conformed.missing, *conformed.retyped} & set(keys) or not first.table.num_rows:
        return
    told = conformed.table.select(keys)
    _, inverse, counts = np.unique(row_hashes(told), return_inverse=True, return_counts=True)
    repeated = int((counts[inverse] > 1).sum())
    named = ", ".join(keys)
    if repeated:
        yield warning(
            f"keys: {repeated:,} of the first {told.num_rows:,} rows share {named} with another "
            "row; validate decides which of them may stay"
        )
    for name in keys:
        if empty := told.column(name).null_count:
            yield warning(f"keys: {name} is null in {empty:,} of the first {told.num_rows:,} rows")
