"""What a message says, from the documents of reports."""

from dataclasses import asdict
from typing import Any

import pytest

from contract.use_case.model import UseCase
from monitoring.alerts.message import AlertGrounds, Message, compose
from monitoring.alerts.policy import DueAlert, OpenAlerts
from monitoring.measures.compare import ColumnChange, Role
from monitoring.measures.performance import PerformanceFall
from monitoring.verdict.evidence import ColumnFinding

FALL = PerformanceFall("roc_auc", 0.8, 0.6, 0.55, 0.65, 0.15, 0.25, 100, 90)


def finding(name: str) -> dict[str, Any]:
    role: Role = "label" if name == "label" else "columns"
    told = "Smith 1.0% → 9.0%"
    return asdict(ColumnFinding(ColumnChange(name, role, 0.3, 0.0, told), 0.1, 0.0, True))


def document(window: str, *names: str, **more: Any) -> dict[str, Any]:
    """The document of a report in which these columns moved."""
    return {
        "version": "4",
        "window": window,
        "revision": 1,
        "verdict": {"state": "DRIFT", "reasons": ["Drift."]},
        "findings": [finding(name) for name in names],
        "schema": [],
        "performance": None,
        **more,
    }


JULY = document("July", "label", performance={"realised_fall": asdict(FALL)})
AUGUST = document("August", "size", "colour", schema=["group is missing"])


def said(use_case: UseCase, *about: str, latest: dict[str, Any] = AUGUST) -> Message:
    due = DueAlert("alarm", about, OpenAlerts(), "New drift.")
    return compose(
        due, AlertGrounds(AUGUST, JULY, latest), use_case, "77", "http://ui", "2024-09-01"
    )


def test_every_signal_has_its_sentence_and_its_next_step(use_case: UseCase) -> None:
    found = said(use_case, "schema", "columns:size", "columns:colour")
    assert found.reasons == (
        "New drift.",
        "Columns changed: group is missing.",
        "size moved (distance 0.30, limit 0.10; adjusted p < 1e-12).",
        "colour moved (distance 0.30, limit 0.10; adjusted p < 1e-12).",
    )
    assert [step.split()[0] for step in found.next_steps] == ["Find", "Look"]
    assert (found.id, found.window, found.version) == ("alert-77", "August", "4")


@pytest.mark.parametrize(("latest", "where"), [(JULY, ""), (AUGUST, "July: ")])
def test_a_sentence_about_another_window_names_it(
    use_case: UseCase, latest: dict[str, Any], where: str
) -> None:
    found = said(use_case, "performance", "label", latest=latest)
    assert found.window == latest["window"]
    assert found.reasons[1].startswith(f"{where}roc_auc is 0.600 [0.550, 0.650] against 0.800")
    assert found.reasons[2].startswith(f"{where}The labels moved (distance")


def test_of_very_many_signals_the_first_are_told(use_case: UseCase) -> None:
    found = said(use_case, *["columns:size"] * 20)
    assert len(found.reasons) == 10
    assert found.reasons[-1] == "And 12 more, in the report."


def test_no_word_of_a_column_is_told(use_case: UseCase) -> None:
    everything = said(use_case, "schema", "columns:colour", "label", "performance")
    assert "Smith" not in str(everything)
