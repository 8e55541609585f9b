"""Which message is due, case by case."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.use_case.sections.monitoring import Signal
from monitoring.alerts.policy import AlertState, DueAlert, OpenAlerts, decide, standing
from monitoring.verdict.evidence import DriftVerdict

ALL = get_args(Signal)


def alerts(*opened: str, closed: tuple[str, ...] = ()) -> OpenAlerts:
    return OpenAlerts(frozenset(opened), frozenset(closed))


def drifts(*signals: str, raised: bool = True) -> AlertState:
    return AlertState(signals, signals, signals if raised else ())


def once(*signals: str) -> AlertState:
    return AlertState(signals)


CASES: dict[str, tuple[AlertState, OpenAlerts, str | None, tuple[str, ...]]] = {
    "all is well": (AlertState(), alerts(), None, ()),
    "drifts in one window only": (once("prediction"), alerts(), None, ()),
    "a new alarm": (drifts("columns:a"), alerts(), "alarm", ("columns:a",)),
    "the same alarm again": (drifts("columns:a"), alerts("columns:a"), None, ()),
    "the same, after the verdict's cool-down": (drifts("schema"), alerts("schema"), None, ()),
    "one more": (
        drifts("columns:a", "columns:b"),
        alerts("columns:a"),
        "alarm",
        ("columns:b",),
    ),
    "still there, in too few windows": (
        once("columns:a"),
        alerts("columns:a"),
        None,
        (),
    ),
    "one of two is quiet": (once("columns:a"), alerts("columns:a", "columns:b"), None, ()),
    "all clear": (
        AlertState(),
        alerts("columns:a", "columns:b"),
        "recovery",
        ("columns:a", "columns:b"),
    ),
    "all clear, another drifts once": (
        once("columns:c"),
        alerts("columns:a"),
        "recovery",
        ("columns:a",),
    ),
    "another drifts while the first is quiet": (
        drifts("columns:c"),
        alerts("columns:a"),
        "alarm",
        ("columns:c",),
    ),
    "again soon after its recovery": (
        drifts("columns:a", raised=False),
        alerts(closed=("columns:a",)),
        None,
        (),
    ),
    "again long after its recovery": (
        drifts("columns:a"),
        alerts(closed=("columns:a",)),
        "alarm",
        ("columns:a",),
    ),
    "an alarm that nobody was told": (
        drifts("columns:a", raised=False),
        alerts(),
        "alarm",
        ("columns:a",),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_message_is_due_when_something_is_news(name: str) -> None:
    now, before, kind, about = CASES[name]
    due = decide(now, before, ALL)
    assert (due.kind, due.about) == (kind, about)
    assert due.reason


def test_what_the_policy_leaves_out_opens_nothing_and_closes_all_the_same() -> None:
    only: tuple[Signal, ...] = ("performance",)
    assert decide(drifts("columns:a"), alerts(), only).kind is None
    assert decide(drifts("columns:a", "performance"), alerts(), only).about == only
    assert decide(once(), alerts("columns:a"), ()).kind == "recovery"


def history(*windows: AlertState) -> list[DueAlert]:
    found, known = [], OpenAlerts()
    for window in windows:
        due = decide(window, known, ALL)
        found.append(due)
        known = due.alerts
    return found


SIGNALS = ("performance", "columns:a", "columns:b")
WINDOWS = st.lists(
    st.sets(st.sampled_from(SIGNALS)).flatmap(
        lambda signals: st.builds(
            lambda drifting, raised: AlertState(
                tuple(signals), tuple(drifting), tuple(drifting) if raised else ()
            ),
            st.sets(st.sampled_from(sorted(signals))) if signals else st.just(set[str]()),
            st.booleans(),
        )
    )
)


@settings(deadline=None)  # the machine may be busy
@given(WINDOWS)
def test_whatever_happens_people_hear_of_each_thing_once_and_of_its_end_once(
    windows: list[AlertState],
) -> None:
    known: set[str] = set()
    for window, due in zip(windows, history(*windows), strict=True):
        if due.kind == "alarm":
            assert not known.intersection(due.about)
            assert set(due.about) <= set(window.drifting)
            known.update(due.about)
        if due.kind == "recovery":
            assert set(due.about) == known
            assert not known.intersection(window.signals)
            known.clear()
        assert due.alerts.open == known
        assert not due.alerts.open & due.alerts.closed
        assert not known or known.intersection(window.signals) or due.kind == "alarm"


def test_a_signal_that_comes_and_goes_is_told_once_for_each_cool_down() -> None:
    low, high = AlertState(), drifts("columns:a")
    hushed = drifts("columns:a", raised=False)
    kinds = [d.kind for d in history(high, low, hushed, low, high, high, low)]
    assert kinds == ["alarm", "recovery", None, None, "alarm", None, "recovery"]


def test_a_window_without_labels_says_nothing_about_performance() -> None:
    fell = DriftVerdict(
        "DRIFT", ("",), ("performance",), ("performance",), ("performance",), labelled=True
    )
    unlabelled = DriftVerdict("OK", ("",))
    assert standing(unlabelled, fell) == drifts("performance")
    assert standing(unlabelled, None) == AlertState()


def test_columns_are_those_of_the_newest_window() -> None:
    old = DriftVerdict("DRIFT", ("",), ("columns:a", "label"), ("columns:a",), labelled=True)
    new = DriftVerdict("WATCH", ("",), ("columns:b",), labelled=False)
    assert standing(new, old).signals == ("label", "columns:b")
    assert standing(new, old).drifting == ()
