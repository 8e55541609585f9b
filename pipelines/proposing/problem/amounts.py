"""How many rows each judgement needs, and margins in the target's unit: from what the table has.

No limit on a metric is set: what is good enough, only people know.
"""

from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.inferred import Inferred
from pipelines.proposing.problem.task import ProposedTask

USUAL_ROWS, USUAL_CLASS_ROWS, USUAL_WINDOW, USUAL_LABELS = 100, 10, 200, 1000
REFERENCE_ROWS = (100, 10_000)
DAYS = {"day": 1, "week": 7, "month": 30}
# Of what a constant answer is off by: how much worse counts as just as good, and as a fall.
MARGIN, FALL = 0.02, 0.1
DIGITS = 2


@dataclass(frozen=True)
class Amounts:
    """The sections that say how many rows are enough."""

    validation: Inferred[dict[str, Any]]
    gates: Inferred[dict[str, Any]]
    monitoring: Inferred[dict[str, Any]]
    retraining: Inferred[dict[str, Any]]


def amounts_of(
    target: SeenColumn, task: ProposedTask, share: float, time: SeenColumn | None
) -> Amounts:
    """Amounts for a table of so many rows, of which this share is held out."""
    labelled = target.rows - target.nulls
    held = int(labelled * share)
    validation = {"min_rows": max(1, min(USUAL_ROWS, target.rows // 2))}
    gates: dict[str, Any] = {"min_rows": max(2, min(USUAL_ROWS, held // 2))}
    of_gates = f"about {held:,} rows are held out"
    if task.classifies:
        rarest = _rarest_held(target, held, time)
        gates["min_class_rows"] = min(USUAL_CLASS_ROWS, rarest // 2)
        of_gates += "" if rarest else ", none of the rarest class: nothing tells how it is answered"
    every, window, why = _windows(held, time)
    monitoring: dict[str, Any] = {
        "every": every,
        "min_rows": window,
        "reference_rows": max(REFERENCE_ROWS[0], min(REFERENCE_ROWS[1], labelled)),
        "min_labels": max(2, min(USUAL_ROWS, window)),
    }
    if not task.classifies:
        off = _constant_error(target)
        gates |= {"margin": _short(off * MARGIN), "slice_margin": _short(off * FALL)}
        monitoring["performance_margin"] = _short(off * FALL)
        of_gates += f"; margins: {MARGIN:.0%} and {FALL:.0%} of the standard deviation {off:.3g}"
    retraining = {"min_labels": max(1, min(USUAL_LABELS, labelled // 2))}
    return Amounts(
        Inferred(
            validation, f"half of these {target.rows:,} rows, {USUAL_ROWS} at most", "a guess"
        ),
        Inferred(gates, of_gates, "likely"),
        Inferred(monitoring, why, "a guess" if time is None else "likely"),
        Inferred(
            retraining, f"half of the labels that are here, {USUAL_LABELS:,} at most", "a guess"
        ),
    )


def _rarest_held(target: SeenColumn, held: int, time: SeenColumn | None) -> int:
    """Rows of the rarest class among those that are held out: drawn, or the newest."""
    if time is None:
        return int(target.by_count[-1][1] * held / (target.rows - target.nulls))
    values = target.typed.values
    labelled = values.is_valid()
    newest = pc.sort_indices(time.typed.values.filter(labelled))[-max(held, 1) :]
    found = pc.value_counts(values.filter(labelled).take(newest)).field("counts").to_pylist()
    return min(found) if len(found) == target.distinct else 0


def _windows(held: int, time: SeenColumn | None) -> tuple[str, int, str]:
    """How long a window of monitoring is, how many rows it needs, and why."""
    if time is None:
        rows = max(1, min(USUAL_WINDOW, held // 2))
        return "month", rows, "how many rows come in a day, no event time says"
    first, last = time.ends
    a_day = time.rows / max((last - first).days, 1)
    every = next((w for w, days in DAYS.items() if a_day * days >= USUAL_WINDOW), "month")
    rows = int(max(1, min(USUAL_WINDOW, a_day * DAYS[every] / 2)))
    return every, rows, f"about {a_day:,.3g} rows a day"


def _constant_error(target: SeenColumn) -> float:
    """Root mean squared error of the mean: the standard deviation."""
    return float(pc.stddev(target.typed.values.drop_null().cast("float64")).as_py())


def _short(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")
