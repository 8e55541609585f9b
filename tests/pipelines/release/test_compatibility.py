"""What breaks callers of the champion is named; what they do not notice is not."""

from pathlib import Path
from typing import Any

import pytest

from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column
from pipelines.release.compatibility import breaks, incomparable
from tests.conftest import made_use_case

CLASSES = (False, True)


def with_column(use_case: UseCase, name: str, **changes: Any) -> UseCase:
    columns = dict(use_case.columns)
    old = columns.get(name, Column(type="string")).model_dump()
    columns[name] = Column.model_validate(old | changes)
    return use_case.model_copy(update={"columns": columns})


def without_column(use_case: UseCase, name: str) -> UseCase:
    kept = {key: column for key, column in use_case.columns.items() if key != name}
    return use_case.model_copy(update={"columns": kept})


BREAKING = [
    ("colour", {"unseen": "reject"}, "any text was accepted, now only its categories are"),
    ("size", {"out_of_range": "reject"}, "values outside -10 to 10 are refused from now on"),
    ("size", {"nullable": False}, "null was accepted and is refused"),
    ("size", {"type": "integer"}, "its type was number and is integer"),
    ("size", {"unit": "cm"}, "its unit was none and is cm"),
    ("group", {"type": "number"}, "its type was string and is number"),
    ("id", {"type": "string"}, "its type was integer and is string"),
    ("id", {"type": "number"}, "the log holds it as integer, so as number no record"),
    ("id", {"personal": True}, "the log holds it as integer, so as string no record"),
    ("size", {"log": "hash"}, "the log holds it as number, so as string no record"),
    ("weight", {"type": "number", "nullable": True}, "weight is needed from now on"),
]
HARMLESS = [
    ("colour", {"categories": ("red", "green", "blue", "grey")}),
    ("size", {"min": -1}),  # outside is allowed, only counted
    ("group", {"nullable": True}),
    ("group", {"description": "which", "personal": True}),
    ("id", {"personal": True, "log": "drop"}),
    ("moment", {"nullable": True}),
]


@pytest.mark.parametrize(("name", "changes", "said"), BREAKING)
def test_a_change_that_callers_notice_is_named(
    home: Path, name: str, changes: dict[str, Any], said: str
) -> None:
    champion = made_use_case(home)
    found = breaks(champion, with_column(champion, name, **changes), CLASSES, CLASSES)
    assert len(found) == 1
    assert f"column {name}" in found[0]
    assert said in found[0]


@pytest.mark.parametrize(("name", "changes"), HARMLESS)
def test_a_change_that_callers_do_not_notice_is_none(
    home: Path, name: str, changes: dict[str, Any]
) -> None:
    champion = made_use_case(home)
    assert breaks(champion, with_column(champion, name, **changes), CLASSES, CLASSES) == ()


def test_a_strict_policy_may_be_widened_and_not_narrowed(home: Path) -> None:
    narrow = with_column(made_use_case(home), "colour", unseen="reject", categories=("red", "blue"))
    narrow = with_column(narrow, "size", out_of_range="reject", min=0)
    wide = with_column(made_use_case(home), "colour", unseen="reject")
    wide = with_column(wide, "size", out_of_range="reject")
    assert breaks(narrow, wide, CLASSES, CLASSES) == ()
    assert breaks(wide, narrow, CLASSES, CLASSES) == (
        "column colour: refused from now on: green",
        "column size: values outside 0 to 10 are refused from now on",
    )


def test_a_dropped_column_and_a_new_order_break_callers(home: Path) -> None:
    champion = made_use_case(home)
    dropped = breaks(champion, without_column(champion, "size"), CLASSES, CLASSES)
    assert dropped == ("column size is no longer accepted",)
    turned = champion.model_copy(update={"columns": dict(reversed(champion.columns.items()))})
    (order,) = breaks(champion, turned, CLASSES, CLASSES)
    assert "order of the columns" in order


def test_an_answer_of_another_kind_breaks_callers(home: Path) -> None:
    champion = made_use_case(home)
    regression = with_column(champion, "late", type="number").model_copy(
        update={"task": "regression"}
    )
    assert breaks(champion, regression, CLASSES, ()) == (
        "the task was binary and is regression",
        "the answer was of type boolean and is number",
        "the classes were False, True and are none",
    )


def test_a_champion_that_can_t_answer_the_rows_of_today_is_said(home: Path) -> None:
    champion = made_use_case(home)
    asked = champion.model_copy(update={"target": "group"})
    narrowed = with_column(champion, "group", type="number")
    assert incomparable(champion, champion) == ""
    assert incomparable(champion, asked) == "it answers another question"
    assert incomparable(champion, without_column(champion, "size")) == (
        "it needs column size, which is no longer declared"
    )
    assert (
        incomparable(champion, narrowed) == "it needs column group as string, which is number now"
    )
