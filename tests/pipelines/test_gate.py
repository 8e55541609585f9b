import math

import pytest

from contract.use_case import Gates
from pipelines.gate import decide

LIMITS = Gates(minimum={"roc_auc": 0.7}, maximum={"calibration_error": 0.1})


@pytest.mark.parametrize(
    ("figures", "passed"),
    [
        ({"roc_auc": 0.7, "calibration_error": 0.1}, True),
        ({"roc_auc": 0.69, "calibration_error": 0.05}, False),
        ({"roc_auc": 0.8, "calibration_error": 0.11}, False),
        ({"roc_auc": math.nan, "calibration_error": 0.05}, False),
        ({"roc_auc": 0.8}, False),
        ({}, False),
    ],
)
def test_the_gate_fails_closed(figures: dict[str, float], passed: bool) -> None:
    decision = decide(LIMITS, figures)
    assert decision.passed == passed
    assert decision.reasons


def test_a_use_case_without_limits_promotes_nothing() -> None:
    assert not decide(Gates(), {"roc_auc": 1.0}).passed
