"""What an expectation asks, in words of columns, rows and values."""

from pathlib import Path

import pytest

from contract.use_case.sections.validation import Expectation
from pipelines.data.expectations import Rule, requirement, row_rules, table_rules
from tests.conftest import made_use_case


def test_every_expectation_of_a_use_case_is_said_without_a_class_name(home: Path) -> None:
    use_case = made_use_case(home)
    said = [requirement(rule) for rule in row_rules(use_case) + table_rules(use_case)]
    assert said[:3] == ["id must be unique", "id must not be null", "moment must not be null"]
    assert {
        "the number of rows must be at least 20",
        "the column colour must be there",
        "the column moment must be of type timestamp",
        "colour must be one of red, green, blue",
        "size must be between -10 and 10",
        "size must have a value in some row",
        "the number of different values of late must be at least 2",
    } <= set(said)
    assert not [text for text in said if "xpect" in text]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            Rule("ExpectCompoundColumnsToBeUnique", "row", arguments={"column_list": ["a", "b"]}),
            "a, b must be unique together",
        ),
        (
            Rule(
                "ExpectColumnValuesToBeBetween",
                "row",
                arguments={"column": "a", "min_value": 1_000_000, "max_value": None},
            ),
            "a must be at least 1,000,000",
        ),
        (
            Rule(
                "ExpectColumnValuesToBeInSet",
                "row",
                arguments={"column": "a", "value_set": list("abcdefghijklm")},
            ),
            "a must be one of a, b, c, d, e, f, g, h, i, j and 3 more",
        ),
        (
            Rule("ExpectColumnPairValuesToBeEqual", "table", arguments={"column_A": "a"}),
            "column pair values to be equal is expected (column_A a)",
        ),
    ],
)
def test_what_a_rule_asks(rule: Rule, said: str) -> None:
    assert requirement(rule) == said


def test_an_expectation_of_the_user_s_own_is_said_by_its_name(home: Path) -> None:
    own = Expectation(
        expectation="ExpectColumnMeanToBeBetween",
        arguments={"column": "size", "min_value": 5, "max_value": 6},
    )
    rules = table_rules(made_use_case(home, {"expectations": (own,)}))
    said = "size: column mean to be between is expected (min_value 5, max_value 6)"
    assert requirement(rules[-1]) == said
