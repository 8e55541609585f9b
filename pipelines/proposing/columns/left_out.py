"""Columns that no model should learn from, each with its reason."""

import re

import pyarrow.compute as pc

from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.inferred import LeftOut

LIST = r"(?s)^\s*(\[.*\]|\{.*\}|\(.*,.*\))\s*$"
EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
PHONE = r"^\+?[\d()][\d\s()./-]{5,}\d$"
NAMED_PHONE = re.compile(r"phone|mobile|fax|(^|_)tel", re.I)
FREE_TEXT_WORDS = 5
OWN_TEXT_SHARE = 0.5  # of rows whose text no other row has
MOST = 0.9
FEW_ROWS = 20
IDENTIFIER = re.compile(
    r"(^|[_\W])(id|ids|uuid|guid|key|pk|idx|index|rownames?|row_?number|nr|no|num|number"
    r"|code|serial|unnamed: 0)$|[a-z]I[dD]$|^(id|uuid)|^nr[_\W]",
    re.I,
)
ENTITY = re.compile(
    r"(customer|client|patient|user|subject|student|person|member|account|device|machine|player"
    r"|household|company|firm|store|shop|school|hospital|driver"
    r"|\b(order|invoice|booking|transaction|claim|passenger|employee|vehicle|parcel|shipment))"
    r"s?([_ ]?(id|no|nr|number|code|name))?$",
    re.I,
)


def is_identifier(name: str) -> bool:
    """Whether a name says that the column names rows, or what they are about."""
    last = re.search(r"[a-z]I[dD]$", name) is not None
    return last or bool(IDENTIFIER.search(name.lower())) or is_entity(name)


def is_entity(name: str) -> bool:
    """Whether a name says whom a row is about."""
    return ENTITY.search(name) is not None


def is_personal(column: SeenColumn) -> bool:
    """Whether e-mail addresses or numbers of phones stand in it."""
    if column.kind != "string" or not column.distinct:
        return False
    texts = column.counts.field("values")
    mails = pc.sum(pc.match_substring_regex(texts, EMAIL)).as_py() or 0
    if mails > column.distinct * MOST:
        return True
    phones = pc.sum(pc.match_substring_regex(texts, PHONE)).as_py() or 0
    return bool(NAMED_PHONE.search(column.name)) and phones > column.distinct * MOST


def why_left_out(column: SeenColumn) -> LeftOut | None:
    """Why a column that is neither key, time, group nor target is no feature; None where it is."""
    why = _why(column)
    if not why:
        return None
    personal = ", personal: true" if is_personal(column) else ""
    nullable = ", nullable: true" if column.nulls else ""
    why = "; ".join([why, *column.typed.notes])
    return LeftOut(column.name, why, f"{{type: {column.kind}{nullable}{personal}}}")


def _why(column: SeenColumn) -> str:
    if not column.distinct:
        return "no row has a value"
    if column.distinct == 1 and not column.nulls:
        return "the same value in every row"
    if column.kind == "timestamp":
        return "a moment in time that is not the event time: as a feature every later one is new"
    if column.kind == "string":
        return _why_of_text(column)
    if column.running:
        return "it counts the rows"
    if column.kind == "integer" and column.distinct > FEW_ROWS and is_identifier(column.name):
        return "its name says that it identifies, so a model would learn single cases"
    return ""


def _why_of_text(column: SeenColumn) -> str:
    if is_personal(column):
        return "e-mail addresses or phone numbers: personal"
    texts = column.counts.field("values")
    lists = pc.sum(pc.match_substring_regex(texts, LIST)).as_py() or 0
    if lists > column.distinct * MOST:
        return "lists or mappings: to a model each is one word"
    words = pc.mean(pc.count_substring_regex(pc.utf8_trim_whitespace(texts), r"\s+")).as_py() + 1
    if words > FREE_TEXT_WORDS and column.distinct > FEW_ROWS:
        return f"free text of {words:.0f} words on average: to a model each is one word"
    given = column.rows - column.nulls
    if column.distinct > max(FEW_ROWS, given * OWN_TEXT_SHARE):
        return f"{column.distinct:,} different texts in {given:,} rows say nothing of a next row"
    if is_identifier(column.name) and column.distinct > FEW_ROWS:
        return "its name says that it identifies, so a model would learn single cases"
    return ""
