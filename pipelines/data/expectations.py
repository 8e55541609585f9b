"""Derive Great Expectations' configuration from a use case, as plain values.

Row-level expectations send single rows to quarantine; table-level ones judge the data as a whole.
Critical ones stop the run, warnings are reported.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from contract.use_case.model import UseCase
from contract.use_case.sections.column import Column

# What a conformed column looks like to pandas, by declared type.
DTYPES = {
    "string": ["object", "str", "string"],
    "integer": ["int64", "Int64Dtype", "float64", "int32"],
    "number": ["float64"],
    "boolean": ["bool", "object"],
    "timestamp": ["datetime64[us]", "datetime64[ns]"],
}
SHOWN_VALUES = 10  # of those that a column may take


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
    rules: list[Rule] = []
    if len(use_case.keys) > 1:
        rules = [Rule("ExpectCompoundColumnsToBeUnique", "row", arguments=keys)]
    elif use_case.keys:
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


def requirement(rule: Rule) -> str:
    """What a rule asks of columns, rows and values, as a person says it."""
    given: dict[str, Any] = dict(rule.arguments)
    column = given.get("column", "")
    match rule.expectation:
        case "ExpectTableRowCountToBeBetween":
            return f"the number of rows must be {_bounds(given)}"
        case "ExpectColumnToExist":
            return f"the column {column} must be there"
        case "ExpectColumnValuesToBeInTypeList":
            return f"the column {column} must be of type {_types(given.get('type_list') or [])}"
        case "ExpectCompoundColumnsToBeUnique":
            return f"{', '.join(given['column_list'])} must be unique together"
        case "ExpectColumnValuesToBeUnique":
            return f"{column} must be unique"
        case "ExpectColumnValuesToNotBeNull":
            return f"{column} must not be null"
        case "ExpectColumnValuesToBeBetween":
            return f"{column} must be {_bounds(given)}"
        case "ExpectColumnValuesToBeInSet" if isinstance(given.get("value_set"), list):
            return f"{column} must be {_one_of(given['value_set'])}"
        case "ExpectColumnUniqueValueCountToBeBetween":
            return f"the number of different values of {column} must be {_bounds(given)}"
        case "ExpectColumnProportionOfNonNullValuesToBeBetween" if given.get("strict_min"):
            return f"{column} must have a value in some row"
    return _declared_by_hand(rule)


def clock_note(rule: Rule, use_case: UseCase) -> str:
    """What else null may mean in a column of times: ingest nulls what was no one moment."""
    column = str(rule.arguments.get("column", ""))
    moments = rule.expectation == "ExpectColumnValuesToNotBeNull" and (
        use_case.columns[column].type == "timestamp"
    )
    if not moments or use_case.time_zone == "UTC":
        return ""
    return f" (null is also a time that the clock of {use_case.time_zone} skips or shows twice)"


def _declared_by_hand(rule: Rule) -> str:
    """An expectation of the user's own, by the words of its name and its arguments."""
    words = re.sub(r"(?<!^)([A-Z])", r" \1", rule.expectation.removeprefix("Expect")).lower()
    rest = {name: value for name, value in rule.arguments.items() if name != "column"}
    told = ", ".join(f"{name} {value}" for name, value in rest.items())
    about = f"{rule.arguments['column']}: " if "column" in rule.arguments else ""
    return f"{about}{words} is expected" + (f" ({told})" if told else "")


def _bounds(given: Mapping[str, Any]) -> str:
    low, high = given.get("min_value"), given.get("max_value")
    if low is None or high is None:
        return f"at least {_bound(low)}" if high is None else f"at most {_bound(high)}"
    return f"between {_bound(low)} and {_bound(high)}"


def _bound(value: Any) -> str:
    """A number, or what a declared expectation is compared with in its place, such as a date."""
    return f"{value:,.12g}" if isinstance(value, int | float) else str(value)


def _one_of(values: Sequence[object]) -> str:
    shown = ", ".join(map(str, values[:SHOWN_VALUES]))
    more = len(values) - SHOWN_VALUES
    return f"one of {shown}" + (f" and {more} more" if more > 0 else "")


def _types(dtypes: list[str]) -> str:
    """The type of a declared column, or those that a declared expectation names."""
    declared = (name for name, known in DTYPES.items() if known == dtypes)
    return next(declared, " or ".join(map(str, dtypes)))
