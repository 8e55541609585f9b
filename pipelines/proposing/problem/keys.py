"""What names a row: one column of names, a pair with the event time, else the row itself."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from contract.names import FEEDBACK_COLUMNS, PREDICTION_COLUMNS
from contract.store.rows.fingerprint import row_hashes
from pipelines.proposing.columns.declared import MOST_CATEGORIES
from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.columns.left_out import is_identifier, is_personal
from pipelines.proposing.inferred import Inferred

MOST_SIGNS = 40  # of a text that is a name and no sentence
TAKEN = PREDICTION_COLUMNS | FEEDBACK_COLUMNS
Keys = tuple[str, ...]


def keys_of(columns: Sequence[SeenColumn], target: str, event_time: str | None) -> Inferred[Keys]:
    """The keys; none where only its cells name a row."""
    fit = [
        c for c in columns if c.name != target and c.name.lower() not in TAKEN and c.distinct > 1
    ]
    unique = [c for c in fit if c.unique and c.kind in ("integer", "string")]
    named = [c for c in unique if is_identifier(c.name) and not is_personal(c)]
    if named:
        return Inferred((named[0].name,), "another value in every row, and its name says so")
    if running := [c for c in unique if c.running]:
        return Inferred(
            (running[0].name,), "it counts the rows, so it holds while they keep number", "likely"
        )
    if texts := [c for c in unique if _is_name(c)]:
        return Inferred((texts[0].name,), "another text in every row", "likely")
    if event_time and (found := _with_time(fit, event_time)):
        return found
    return Inferred((), "no column or pair names a row, so its cells together do")


def _names_somebody(column: SeenColumn) -> bool:
    """Whether it is an identifier, or a text of many values: a few are a feature, and no key."""
    if column.kind not in ("integer", "string"):
        return False
    many = column.kind == "string" and column.distinct > MOST_CATEGORIES
    return many or is_identifier(column.name)


def _is_name(column: SeenColumn) -> bool:
    if column.kind != "string" or is_personal(column):
        return False
    texts = column.counts.field("values")
    longest: int = max(map(len, texts.slice(0, 1000).to_pylist()))
    return longest <= MOST_SIGNS


def _with_time(fit: Sequence[SeenColumn], event_time: str) -> Inferred[Keys] | None:
    time = next((c for c in fit if c.name == event_time), None)
    if time is None:
        return None
    if time.unique:
        return Inferred((event_time,), "another moment in every row", "likely")
    partners = [c for c in fit if c.name != event_time and not c.nulls and _names_somebody(c)]
    # Identifiers first, then texts of many values.
    partners.sort(key=lambda c: (not is_identifier(c.name), c.kind != "string", -c.distinct))
    for partner in partners[:3]:
        if partner.distinct * time.distinct >= time.rows and _unique(partner, time):
            why = f"no row shares {partner.name} and {event_time} with another"
            return Inferred((partner.name, event_time), why, "likely")
    return None


def _unique(one: SeenColumn, other: SeenColumn) -> bool:
    rows = pa.table({"a": one.typed.values, "b": other.typed.values})
    n_different: int = len(np.unique(row_hashes(rows)))
    return n_different == len(one.typed.values)
