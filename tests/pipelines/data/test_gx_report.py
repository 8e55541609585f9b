"""What Great Expectations finds is said in a sentence and on a page, whatever is expected."""

import pandas as pd
import pytest

from pipelines.data.expectations import Rule
from pipelines.data.gx_report import check
from tests.support.texts import in_html

FRAME = pd.DataFrame({"s": ["a", "b", None, "a"], "n": [1, 2, 3, None]})
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
    ("ExpectColumnToExist", {"column": "t"}, "found none"),
    ("ExpectColumnValuesToBeOfType", {"column": "n", "type_": "str"}, "found float64"),
    ("ExpectColumnValueLengthsToEqual", {"value": 2}, "not so in 3 of 4 rows"),
    (
        "ExpectColumnMeanToBeBetween",
        {"max_value": 2},
        "it could not be checked: can only concatenate str (not '…') to str",
    ),
    (
        "ExpectColumnMaxToBeBetween",
        {"column": "t", "max_value": 2},
        "it could not be checked: Error: The column '…' in BatchData does not exist.",
    ),
]


@pytest.mark.parametrize(("expectation", "arguments", "said"), BROKEN)
def test_what_was_found_is_said_and_shown(
    expectation: str, arguments: dict[str, object], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"column": "s", **arguments}
    report = check(FRAME, [Rule(expectation, "table", arguments=given)], "made")
    (finding,) = report.findings
    assert not finding.passed
    assert finding.detail.startswith(said)
    _, shown = in_html(report.page)
    assert "Failed" in shown
    assert "Traceback" not in "".join(capfd.readouterr())
