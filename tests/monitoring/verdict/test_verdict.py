from collections.abc import Sequence
from dataclasses import replace

import pytest

from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.compare import ColumnChange
from monitoring.measures.performance import PerformanceFall
from monitoring.verdict.evidence import ColumnFinding, PastVerdict, WindowEvidence
from monitoring.verdict.verdict import decide, find

POLICY = Monitoring(min_rows=100, alarm_windows=2, of_last=3, cool_down=2)
FALL = PerformanceFall("roc_auc", 0.75, 0.65, 0.63, 0.67, 0.07, 0.13, rows=1000, labels=900)


def change(effect: float, p_value: float, name: str = "size") -> ColumnChange:
    return ColumnChange(name, "columns", effect, p_value)


def moved(*names: str) -> tuple[ColumnFinding, ...]:
    return find([change(0.5, 1e-9, name) for name in names], POLICY)


def past(*signals: str, alarms: Sequence[str] = ()) -> PastVerdict:
    return PastVerdict(frozenset(signals), frozenset(alarms))


QUIET = past()
DRIFTED = past("columns:size")
RAISED = past("columns:size", alarms=["columns:size"])


@pytest.mark.parametrize(
    ("effect", "p_value", "drifted"),
    [(0.5, 1e-9, True), (0.5, 0.2, False), (0.05, 1e-9, False), (0.1, 0.01, True)],
)
def test_a_column_drifts_when_effect_and_test_agree(
    effect: float, p_value: float, drifted: bool
) -> None:
    assert find([change(effect, p_value)], POLICY)[0].drifted is drifted


def test_a_test_counts_for_less_among_many() -> None:
    family = [change(0.5, 0.008), *(change(0.0, 0.9, f"other{i}") for i in range(20))]
    assert not find(family, POLICY)[0].drifted
    assert find(family[:1], POLICY)[0].drifted


def test_a_column_may_have_a_limit_of_its_own() -> None:
    policy = POLICY.model_copy(update={"effect_limits": {"size": 0.6}})
    assert [f.drifted for f in find([change(0.5, 1e-9)], policy)] == [False]
    assert find([], policy) == ()


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        (WindowEvidence(0), "NO_DATA"),
        (WindowEvidence(0, reference=False), "NO_DATA"),
        (WindowEvidence(99), "NOT_ENOUGH_DATA"),
        (WindowEvidence(500, reference=False), "NO_REFERENCE"),
        (WindowEvidence(500), "OK"),
        (WindowEvidence(500, findings=moved("size")), "WATCH"),
        (WindowEvidence(500, schema=("size is missing",)), "SCHEMA_CHANGED"),
        (WindowEvidence(500, estimated=FALL), "WATCH"),
        (WindowEvidence(500, realised=replace(FALL, low=-0.01, high=0.01), estimated=FALL), "OK"),
    ],
)
def test_states_of_a_first_window(evidence: WindowEvidence, state: str) -> None:
    verdict = decide(evidence, [], POLICY)
    assert verdict.state == state
    assert verdict.reasons


@pytest.mark.parametrize(
    ("earlier", "state", "alarms"),
    [
        ([], "WATCH", ()),
        ([QUIET, QUIET], "WATCH", ()),
        ([DRIFTED], "DRIFT", ("columns:size",)),
        ([DRIFTED, QUIET], "DRIFT", ("columns:size",)),
        ([DRIFTED, QUIET, QUIET], "WATCH", ()),
        ([past("columns:other")], "WATCH", ()),
        ([DRIFTED, RAISED], "DRIFT", ()),
        ([DRIFTED, RAISED, DRIFTED], "DRIFT", ()),
        ([DRIFTED, RAISED, DRIFTED, DRIFTED], "DRIFT", ("columns:size",)),
    ],
)
def test_drift_needs_k_of_n_windows_and_an_alarm_a_pause(
    earlier: list[PastVerdict], state: str, alarms: tuple[str, ...]
) -> None:
    verdict = decide(WindowEvidence(500, findings=moved("size")), earlier, POLICY)
    assert (verdict.state, verdict.alarms) == (state, alarms)


def test_a_quiet_window_ends_it_whatever_came_before() -> None:
    verdict = decide(
        WindowEvidence(500, findings=find([change(0.0, 1)], POLICY)), [DRIFTED] * 5, POLICY
    )
    assert (verdict.state, verdict.drifting, verdict.alarms) == ("OK", (), ())


def test_a_missing_column_is_said_at_once_and_the_others_are_judged() -> None:
    evidence = WindowEvidence(500, findings=moved("size"), schema=("colour is missing",))
    verdict = decide(evidence, [DRIFTED], POLICY)
    assert verdict.state == "SCHEMA_CHANGED"
    assert verdict.alarms == ("schema", "columns:size")
    assert "colour is missing" in " ".join(verdict.reasons)


@pytest.mark.parametrize(
    ("fall", "alarmed"),
    [
        (FALL, True),
        (replace(FALL, low=0.02), False),  # the interval touches the margin
        (replace(FALL, labels=99), False),  # too few
        (replace(FALL, labels=499), False),  # less than half of the rows
    ],
)
def test_performance_falls_by_interval_and_with_enough_labels(
    fall: PerformanceFall, alarmed: bool
) -> None:
    verdict = decide(WindowEvidence(1000, realised=fall), [past("performance")], POLICY)
    assert ("performance" in verdict.alarms) is alarmed


@pytest.mark.parametrize(
    ("labels", "labelled"), [(0, False), (99, False), (499, False), (500, True)]
)
def test_a_verdict_says_whether_its_silence_on_performance_means_anything(
    labels: int, labelled: bool
) -> None:
    quiet = replace(FALL, low=-0.01, high=0.01, labels=labels) if labels else None
    assert decide(WindowEvidence(1000, realised=quiet), [], POLICY).labelled is labelled


def test_the_reasons_begin_with_the_weightiest() -> None:
    prediction = ColumnChange("prediction", "prediction", 0.2, 1e-9, "mean 0.2 → 0.4")
    findings = find([change(0.5, 1e-9), change(0.6, 1e-9, "colour"), prediction], POLICY)
    verdict = decide(WindowEvidence(1000, findings, realised=FALL), [], POLICY)
    assert verdict.signals == ("performance", "prediction", "columns:colour", "columns:size")
    assert verdict.reasons[0].endswith(": performance, prediction, 2 columns.")
    assert "mean 0.2 → 0.4" in verdict.reasons[2]


@pytest.mark.parametrize(
    ("metric", "expected", "part"),
    [("roc_auc", 0.76, "nothing"), ("roc_auc", 0.72, "0.030"), ("log_loss", 0.78, "0.030")],
)
def test_a_fall_is_blamed_on_moved_columns_as_far_as_they_let_expect_it(
    metric: str, expected: float, part: str
) -> None:
    value = 0.85 if metric == "log_loss" else 0.65
    realised, estimated = (replace(FALL, metric=metric, value=v) for v in (value, expected))
    verdict = decide(WindowEvidence(1000, realised=realised, estimated=estimated), [], POLICY)
    assert f"explain {part} of the fall by 0.100" in " ".join(verdict.reasons)
