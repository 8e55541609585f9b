"""What Great Expectations finds is said in a sentence and on a page, whatever is expected."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from contract.errors import BadInput
from pipelines.data.expectations import Rule
from pipelines.data.gx_report import check
from tests.support.texts import in_html

DAYS = pd.to_datetime(pd.Series(["2024-01-01", "2024-01-02", None, "2024-01-03"]), utc=True)
FRAME = pd.DataFrame({"s": ["a", "b", None, "a"], "n": [1, 2, 3, None], "t": DAYS})
BROKEN = [
    ("ExpectColumnDistinctValuesToBeInSet", {"value_set": ["b"]}, "found 1 not among them"),
    (
        "ExpectColumnDistinctValuesToEqualSet",
        {"value_set": ["b", "c", "d"]},
        "found 1 not among them and 2 of them missing",
    ),
    ("ExpectColumnDistinctValuesToContainSet", {"value_set": ["c"]}, "found 1 of them missing"),
    ("ExpectColumnMostCommonValueToBeInSet", {"value_set": ["c"]}, "found 1 value"),
    ("ExpectColumnUniqueValueCountToBeBetween", {"max_value": 1}, "found 2"),
    ("ExpectColumnMaxToBeBetween", {"column": "n", "max_value": 2}, "found 3"),
    (
        "ExpectColumnQuantileValuesToBeBetween",
        {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[10, 11]]}},
        "found 2 values",
    ),
    (
        "ExpectColumnKLDivergenceToBeLessThan",
        {"partition_object": {"values": ["a", "b"], "weights": [0.1, 0.9]}, "threshold": 0.01},
        "found 0.933663",
    ),
    ("ExpectColumnToExist", {"column": "u"}, "found none"),
    ("ExpectColumnValuesToBeInTypeList", {"type_list": ["int", "float"]}, "not so in 3 of 4 rows"),
    (
        "ExpectColumnValuesToBeBetween",
        {"column": "t", "min_value": datetime(2024, 1, 2, tzinfo=UTC)},
        "not so in 1 of 4 rows",
    ),
    (
        "ExpectColumnValuesToBeBetween",
        {"column": "t", "min_value": "2024-01-02"},
        "it could not be checked: Invalid comparison between dtype=datetime",
    ),
    ("ExpectColumnMaxToBeBetween", {"max_value": 2}, "it could not be checked"),
    (
        "ExpectTableRowCountToEqualOtherTable",
        {"column": None, "other_table_name": "u"},
        "it could not be checked: PandasExecutionEngine",
    ),
    ("ExpectColumnValuesToBeOfType", {"column": "n", "type_": "str"}, "found float64"),
    ("ExpectColumnValueLengthsToEqual", {"value": 2}, "not so in 3 of 4 rows"),
    (
        "ExpectColumnMeanToBeBetween",
        {"max_value": 2},
        "it could not be checked: can only concatenate str (not '…') to str",
    ),
    (
        "ExpectColumnMaxToBeBetween",
        {"column": "u", "max_value": 2},
        "it could not be checked: Error: The column '…' in BatchData does not exist.",
    ),
]


@pytest.mark.parametrize(("expectation", "arguments", "said"), BROKEN)
def test_what_was_found_is_said_and_shown(
    expectation: str, arguments: dict[str, object], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {name: value for name, value in {"column": "s", **arguments}.items() if value}
    report = check(FRAME, [Rule(expectation, "table", arguments=given)], "made")
    (finding,) = report.findings
    assert not finding.passed
    assert finding.detail.startswith(said)
    _, shown = in_html(report.page)
    assert "Failed" in shown
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_great_expectations_does_not_know_is_refused_in_a_sentence() -> None:
    given = {"column": "s", "column_list": ["s"]}
    unknown = Rule("ExpectMulticolumnValuesToBeUnique", "table", arguments=given)
    with pytest.raises(BadInput, match="can't be checked at all: expect_multicolumn_"):
        check(FRAME, [unknown], "made")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"column": "n"}, "min_value and max_value cannot both be None"),
        ({"min_value": 1}, "column: field required"),
    ],
)
def test_arguments_that_do_not_fit_are_told_in_a_line(
    arguments: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput) as refused:
        check(FRAME, [Rule("ExpectColumnValuesToBeBetween", "table", arguments=arguments)], "made")
    told = "expectations: ExpectColumnValuesToBeBetween can't take its arguments: "
    assert str(refused.value) == told + said
