"""Derive Great Expectations' configuration from a use case, as plain values.

Row-level expectations send single rows to quarantine; table-level ones judge the data as a whole.
Critical ones stop the run, warnings are reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contract.use_case.model import Column, UseCase

# What a conformed column looks like to pandas, by declared type.
DTYPES = {
    "string": ["object", "str", "string"],
    "integer": ["int64", "Int64Dtype", "float64", "int32"],
    "number": ["float64"],
    "boolean": ["bool", "object"],
    "timestamp": ["datetime64[us]", "datetime64[ns]"],
}


@dataclass(frozen=True)
class Rule:
    """One expectation: its class in great_expectations.expectations and its arguments."""

    expectation: str
    level: Literal["row", "table"]
    severity: Literal["critical", "warning"] = "critical"
    arguments: Mapping[str, object] = field(default_factory=dict)


def structure(use_case: UseCase) -> list[Rule]:
    """What any delivery must look like: rows, columns, types.

    Most expectations pass on an empty frame, so the row count is always asked.
    """
    rules = [Rule("ExpectTableRowCountToBeBetween", "table", arguments={"min_value": 1})]
    for name, column in use_case.columns.items():
        rules.append(Rule("ExpectColumnToExist", "table", arguments={"column": name}))
        types = {"column": name, "type_list": DTYPES[column.type]}
        rules.append(Rule("ExpectColumnValuesToBeInTypeList", "table", arguments=types))
    return rules


def row_rules(use_case: UseCase) -> list[Rule]:
    """What every single row must fulfil; a row that does not goes to quarantine."""
    keys: dict[str, object] = {"column_list": list(use_case.keys)}
    if len(use_case.keys) > 1:
        rules = [Rule("ExpectCompoundColumnsToBeUnique", "row", arguments=keys)]
    else:
        unique = {"column": use_case.keys[0]}
        rules = [Rule("ExpectColumnValuesToBeUnique", "row", arguments=unique)]
    for name, column in use_case.columns.items():
        rules += _column_rules(name, column)
    return rules


def table_rules(use_case: UseCase) -> list[Rule]:
    """What the data as a whole must fulfil, and what the user adds."""
    rules = structure(use_case)
    enough = {"min_value": use_case.validation.min_rows}
    rules[0] = Rule("ExpectTableRowCountToBeBetween", "table", arguments=enough)
    if use_case.classifies:
        classes = {"column": use_case.target, "min_value": 2}
        rules.append(Rule("ExpectColumnUniqueValueCountToBeBetween", "table", arguments=classes))
    for name, column in use_case.columns.items():
        if column.nullable:
            # Some value must be there: a column of nulls alone teaches nothing and hides a fault.
            some = {"column": name, "min_value": 0, "strict_min": True}
            rule = "ExpectColumnProportionOfNonNullValuesToBeBetween"
            rules.append(Rule(rule, "table", arguments=some))
    rules += [
        Rule(e.expectation, "table", e.severity, dict(e.arguments)) for e in use_case.expectations
    ]
    return rules


def _column_rules(name: str, column: Column) -> list[Rule]:
    rules = []
    if not column.nullable:
        rules.append(Rule("ExpectColumnValuesToNotBeNull", "row", arguments={"column": name}))
    if (column.min, column.max) != (None, None):
        between = {"column": name, "min_value": column.min, "max_value": column.max}
        rules.append(Rule("ExpectColumnValuesToBeBetween", "row", arguments=between))
    if column.categories is not None:
        level: Literal["row", "table"] = "row" if column.unseen == "reject" else "table"
        severity: Literal["critical", "warning"] = "critical" if level == "row" else "warning"
        among = {"column": name, "value_set": list(column.categories)}
        rules.append(Rule("ExpectColumnValuesToBeInSet", level, severity, among))
    return rules
