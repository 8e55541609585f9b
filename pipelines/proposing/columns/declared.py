"""How a column is declared: nullable, categories and a bound, each only as far as rows show it."""

from collections.abc import Sequence
from typing import Any

from contract.use_case.sections.derived import Part
from pipelines.proposing.columns.facts import LONGEST, SHOWN, SeenColumn
from pipelines.proposing.columns.left_out import is_personal
from pipelines.proposing.inferred import Inferred

MOST_CATEGORIES = 20
CATEGORY_ROWS = 5
ENOUGH_ROWS = 1000  # of fewer, one that is empty may just not have come yet


def declared(column: SeenColumn, parts: Sequence[Part] = ()) -> Inferred[dict[str, Any]]:
    """The declaration of a column and why. Only what a next delivery should keep is declared:
    seen values stand in the reason, and a minimum only at zero."""
    found: dict[str, Any] = {"type": column.kind}
    why = [column.typed.type.why, _seen(column)]
    if column.typed.unit:
        found["unit"] = column.typed.unit
    if column.nulls:
        found["nullable"] = True
    if column.kind in ("integer", "number") and column.ends[0] >= 0:
        found["min"] = 0
    if parts:
        found["parts"] = list(parts)
        why.append("the model sees these parts, which come round, so callers send it")
    rarest = categories(column)
    if rarest:
        found["categories"] = [text for text, _ in column.by_count]
        found["unseen"] = "allow"
        why.append(f"each in {rarest:,} rows or more")
    if is_personal(column):
        found["personal"] = True
    sure = column.typed.type.sure
    if column.rows < ENOUGH_ROWS and not column.nulls:
        why.append("that it stays so is a guess")
    return Inferred(found, "; ".join(filter(None, why)), sure)


def categories(column: SeenColumn) -> int:
    """Rows of the rarest of a few texts that all come again; 0 where they are no categories."""
    if column.kind != "string" or not 0 < column.distinct <= MOST_CATEGORIES:
        return 0
    rarest = column.by_count[-1][1]
    return rarest if rarest >= CATEGORY_ROWS and not is_personal(column) else 0


def _seen(column: SeenColumn) -> str:
    if column.kind != "string" or categories(column) or column.distinct > MOST_CATEGORIES:
        return column.seen
    if is_personal(column):
        return column.seen
    common = ", ".join(repr(str(text)[:LONGEST]) for text, _ in column.by_count[:SHOWN])
    return f"{column.seen}, e.g. {common}"
