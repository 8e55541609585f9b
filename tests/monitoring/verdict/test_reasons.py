"""What a verdict says: each sentence in full."""

from dataclasses import replace

import pytest

from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.compare import ColumnChange, Role
from monitoring.measures.performance import PerformanceFall
from monitoring.verdict.evidence import ColumnFinding, PastVerdict, WindowEvidence
from monitoring.verdict.reasons import fell, listed, moved, named, probability, remarks
from monitoring.verdict.verdict import decide, find

POLICY = Monitoring(min_rows=100, alarm_windows=2, of_last=3, cool_down=2, performance_margin=0.05)
FALL = PerformanceFall("roc_auc", 0.75, 0.65, 0.63, 0.67, 0.07, 0.13, rows=1000, labels=900)
QUIET = replace(FALL, low=-0.01, high=0.01, value=0.75, value_low=0.74, value_high=0.76)
NO_LABEL = "No label has arrived yet, so performance was not judged."


def findings(*names: str) -> tuple[ColumnFinding, ...]:
    return find([ColumnChange(name, "columns", 0.5, 1e-9) for name in names], POLICY)


@pytest.mark.parametrize(
    ("p", "said"), [(0.034, "0.034"), (1e-12, "1e-12"), (9e-13, "< 1e-12"), (0.0, "< 1e-12")]
)
def test_a_tiny_p_value_has_no_digits(p: float, said: str) -> None:
    assert probability(p) == said


def test_signals_are_named_and_columns_counted() -> None:
    assert named(("schema", "columns:a")) == "schema, 1 column"
    assert named(("columns:a", "label", "columns:b")) == "label, 2 columns"
    assert named(("label",)) == "label"


def test_of_very_many_signals_the_first_are_listed() -> None:
    twelve = tuple(f"columns:c{i}" for i in range(12))
    assert listed(("label", "columns:a")) == "label, column a"
    assert listed(twelve).endswith("column c11")
    assert listed((*twelve, "label", "schema")).endswith("column c11, and 2 more")


@pytest.mark.parametrize(
    ("role", "told", "said"),
    [
        ("columns", "", "size moved (distance 0.50, limit 0.10; adjusted p 0.001)."),
        ("label", "", "The labels moved (distance 0.50, limit 0.10; adjusted p 0.001)."),
        (
            "prediction",
            "mean 1 → 2",
            "The predictions moved: mean 1 → 2 (distance 0.50, limit 0.10; adjusted p 0.001).",
        ),
    ],
)
def test_how_far_something_moved(role: Role, told: str, said: str) -> None:
    change = ColumnChange("size", role, 0.5, 0.001, told)
    assert moved(ColumnFinding(change, 0.1, 0.001, True)) == said


def test_how_much_worse_it_became() -> None:
    assert fell("Now ", FALL, POLICY) == (
        "Now roc_auc is 0.650 [0.630, 0.670] against 0.750: worse by 0.070 to 0.130, margin 0.05."
    )


def test_of_many_columns_the_first_eight_have_a_sentence() -> None:
    for count, last in ((8, "c7 moved"), (9, "And 1 more,"), (11, "And 3 more,")):
        names = [f"c{i}" for i in range(count)]
        verdict = decide(WindowEvidence(500, findings(*names)), [], POLICY)
        *_, newest, remark = verdict.reasons
        assert remark == NO_LABEL
        assert newest.startswith(last)
        assert sum(" moved (" in reason for reason in verdict.reasons) == 8
        assert len(verdict.signals) == count


@pytest.mark.parametrize(
    ("earlier", "head"),
    [
        ([], "Drift in this window, not yet in 2 of the last 3 windows: 1 column."),
        (
            [PastVerdict(frozenset({"columns:a"}), frozenset())],
            "Drift in 2 of the last 3 windows, this one included: 1 column; "
            "alarm raised for 1 column.",
        ),
        (
            [PastVerdict(frozenset({"columns:a"}), frozenset({"columns:a"}))],
            "Drift in 2 of the last 3 windows, this one included: 1 column; alarm already raised.",
        ),
    ],
)
def test_the_first_reason_says_how_often_and_whether_an_alarm_was_raised(
    earlier: list[PastVerdict], head: str
) -> None:
    assert decide(WindowEvidence(500, findings("a")), earlier, POLICY).reasons[0] == head


@pytest.mark.parametrize(
    ("evidence", "reasons"),
    [
        (WindowEvidence(0), ("The window holds no predictions.",)),
        (
            WindowEvidence(500, reference=False),
            ("The version has no readable reference, so its window was counted, not judged.",),
        ),
        (WindowEvidence(99), ("The window holds 99 rows; 100 are needed.",)),
        (WindowEvidence(500), ("No drift.", NO_LABEL)),
        (
            WindowEvidence(500, schema=("a is missing", "b is text")),
            (
                "Columns differ from the reference; all others were judged.",
                "Columns changed: a is missing; b is text.",
                NO_LABEL,
            ),
        ),
        (
            WindowEvidence(500, estimated=FALL),
            (
                "No drift, but the estimated performance has fallen.",
                NO_LABEL,
                "Estimated without labels, here as on the holdout: roc_auc is 0.650 [0.630, "
                "0.670] against 0.750: worse by 0.070 to 0.130, margin 0.05.",
            ),
        ),
        # Labels enough say more than an estimate.
        (
            WindowEvidence(500, realised=replace(QUIET, labels=500), estimated=QUIET),
            (
                "No drift.",
                "roc_auc is 0.750 [0.740, 0.760] against 0.750: no fall beyond the margin of "
                "0.05 at 95 % confidence.",
            ),
        ),
        (
            WindowEvidence(500, realised=replace(QUIET, labels=90)),
            (
                "No drift.",
                "90 labels for 9% of the rows are too few to judge performance; 100 and 50% "
                "needed.",
            ),
        ),
    ],
)
def test_every_state_has_its_sentences(evidence: WindowEvidence, reasons: tuple[str, ...]) -> None:
    assert decide(evidence, [], POLICY).reasons == reasons


def test_moves_are_told_predictions_first_then_labels_then_columns_by_size() -> None:
    changes = [
        ColumnChange("near", "columns", 0.2, 1e-9),
        ColumnChange("far", "columns", 0.9, 1e-9),
        ColumnChange("label", "label", 0.3, 1e-9),
        ColumnChange("prediction", "prediction", 0.2, 1e-9),
        ColumnChange("still", "columns", 0.0, 1.0),
    ]
    verdict = decide(WindowEvidence(500, find(changes, POLICY)), [], POLICY)
    assert verdict.signals == ("prediction", "label", "columns:far", "columns:near")


def test_an_estimate_is_told_beside_labels_only_where_they_show_a_fall() -> None:
    seen = WindowEvidence(1000, realised=FALL, estimated=replace(FALL, value=0.74, low=0.0))
    assert remarks(seen, POLICY) == [
        "From the inputs alone, roc_auc 0.740 was expected: changed columns explain 0.010 of the "
        "fall by 0.100; the rest shows only in the labels."
    ]
    assert remarks(WindowEvidence(1000, realised=FALL), POLICY) == []
