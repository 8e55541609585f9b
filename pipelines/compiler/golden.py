"""Golden rows: few rows of the holdout that show every category and every kind of null."""

from typing import Any

import pyarrow as pa

from contract.store.frames import plain_values
from contract.use_case.features import Columns
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import of_persons, stand_in

GOLDEN_ROWS = 50


def golden_rows(rows: pa.Table, use_case: UseCase) -> dict[str, list[Any]]:
    """At most 50 rows as a caller sends them, the same for the same holdout.

    The first row of each null and each category as far as they go, then rows spread evenly. In
    columns of persons a stand-in takes the place of their values.
    """
    holdout = {name: plain_values(rows.column(name)) for name in use_case.inputs}
    n_rows = rows.num_rows
    telling = dict.fromkeys(at for rows in _firsts(holdout, use_case) for at in rows)
    chosen = list(telling)[: GOLDEN_ROWS - GOLDEN_ROWS // 5]
    step = max(1, n_rows // GOLDEN_ROWS)
    chosen += [at for at in range(0, n_rows, step) if at not in chosen]
    picked = sorted(chosen[:GOLDEN_ROWS])
    hidden = of_persons(use_case)
    return {
        name: [stand_in(use_case.columns[name])] * len(picked)
        if name in hidden
        else [holdout[name][at] for at in picked]
        for name in use_case.inputs
    }


def _firsts(holdout: Columns, use_case: UseCase) -> list[list[int]]:
    """First the rows with nulls, then those with categories, columns in declared order."""
    firsts: dict[str, dict[Any, int]] = {}
    categories = [n for n, c in use_case.feature_columns.items() if c.type == "string"]
    hidden = of_persons(use_case)
    for name in [n for n in use_case.inputs if n not in hidden]:
        firsts[name] = {}
        for at, value in enumerate(holdout[name]):
            if value is None or name in categories:
                firsts[name].setdefault(value, at)
    nulls = [[rows[None]] for rows in firsts.values() if None in rows]
    return nulls + [list(rows.values()) for rows in firsts.values()]
