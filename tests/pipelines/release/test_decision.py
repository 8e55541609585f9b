"""The gate's decision: whatever is broken, unknown or shown to be worse is a no."""

import math
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.statistics.bootstrap import bootstrap
from contract.statistics.metrics import Scored, metric_values
from contract.use_case.sections.gates import Evaluation, Gates
from pipelines.model.baseline import baseline, idle_limits
from pipelines.model.comparison import (
    Comparison,
    Difference,
    SliceDifference,
    compare,
    difference,
)
from pipelines.release.decision import decide
from pipelines.release.gate_evidence import (
    Champion,
    GateEvidence,
    Latency,
    NoChampion,
    NoClasses,
    RarestClass,
)
from tests.conftest import made_use_case

GATES = Gates(
    minimum={"accuracy": 0.7},
    maximum={"calibration_error": 0.1},
    min_rows=100,
    margin=0.02,
    slice_margin=0.05,
    slice_min_rows=50,
    max_latency_ms=10,
    max_size_mb=50,
)
LAX = {"accuracy": 0.9}
LARGE = SliceDifference("colour", "red", 200, 0.81, 0.8, Difference(0.01, -0.05, 0.07, 0.03))
SMALL = SliceDifference("colour", "blue", 49, 0.1, 0.9, Difference(-0.8, -0.9, -0.7, 0.05))
EQUAL = Comparison(
    metric="accuracy",
    challenger=0.8,
    champion=0.8,
    difference=Difference(0.0, -0.01, 0.01, 0.005),
    slices=(LARGE, SMALL),
    drawn=(0.0,) * 1000,
)
CHAMPION = Champion("1", trained_on=0, breaks=(), comparison=EQUAL)
GOOD = GateEvidence(
    version="2",
    problems=(),
    missing_tags=(),
    validation="12 of 12 expectations",
    rows=300,
    rarest=RarestClass("True", 60),
    holdout_hash="ab",
    registered_hash="ab",
    trained_on=0,
    figures={"accuracy": 0.8, "calibration_error": 0.05},
    baseline={"accuracy": 0.6, "calibration_error": 0.01},
    latency=Latency(1000, 0.01, 0.02),
    size_mb=0.5,
    opponent=CHAMPION,
)


def against(**changes: Any) -> GateEvidence:
    return replace(GOOD, opponent=replace(CHAMPION, **changes))


def compared(**changes: Any) -> GateEvidence:
    return against(comparison=replace(EQUAL, **changes))


def differing(**changes: Any) -> GateEvidence:
    return compared(difference=replace(EQUAL.difference, **changes))


def test_a_version_as_good_as_the_champion_passes_and_says_why() -> None:
    decision = decide(GATES, GOOD)
    assert decision.passed, decision.reasons
    assert "accuracy 0.8000 against 0.8000 of champion version 1" in decision.reasons[0]


FIRST = replace(
    GOOD,
    opponent=NoChampion(replace(EQUAL, champion=0.6, difference=Difference(0.2, 0.1, 0.3, 0.05))),
)


def test_the_first_version_must_beat_the_baseline_and_reach_the_limits() -> None:
    decision = decide(GATES, FIRST)
    assert decision.passed, decision.reasons
    assert decision.reasons[0] == (
        "there is no champion yet; accuracy 0.8000 against 0.6000 of the baseline: difference "
        "+0.2000, lower bound +0.1000, above +0 is required"
    )
    assert decision.warnings == ()
    assert not decide(GATES, replace(FIRST, figures={"accuracy": 0.6})).passed


def test_who_says_no_to_everything_does_not_pass_where_nearly_all_is_no() -> None:
    """0.17 % positives and a minimum of 90 % accuracy: the table that once let one through."""
    use_case = made_use_case(Path()).model_copy(
        update={"evaluation": Evaluation(metric="accuracy"), "gates": Gates(minimum=LAX)}
    )
    label = np.arange(3000) % 600 == 0
    says_no = Scored(label, np.zeros(3000, bool), np.tile([0.99, 0.01], (3000, 1)), (False, True))
    trivial = baseline(label, says_no, use_case)
    evidence = replace(
        GOOD,
        rows=3000,
        rarest=RarestClass.of(says_no),
        figures=metric_values(use_case, says_no),
        baseline=metric_values(use_case, trivial),
        opponent=NoChampion(compare(use_case, says_no, trivial, {})),
    )
    decision = decide(use_case.gates, evidence)
    assert decision.reasons == (
        "there is no champion yet; accuracy 0.9983 against 0.9983 of the baseline: difference "
        "+0.0000, lower bound +0.0000, above +0 is required",
        "5 holdout rows of 'True', the rarest class; at least 10 are required "
        "(gates.min_class_rows)",
    )
    assert decision.warnings == (
        "gates.minimum: accuracy 0.9 asks nothing of a model: the baseline, one answer for every "
        "row, reaches 0.9983",
    )


@pytest.mark.parametrize(
    ("gates", "named"),
    [
        (Gates(minimum={"accuracy": 0.6}), ["accuracy 0.6"]),
        (Gates(minimum={"accuracy": 0.61}), []),
        (Gates(maximum={"mae": 20}), ["mae 20"]),
        (Gates(minimum={"recall": 0.1}, maximum={"mae": 9}), []),
        (Gates(maximum={"calibration_error": 0.1}), []),  # at which a constant is always good
        (Gates(minimum={"precision": 0.5}), []),  # undefined
    ],
)
def test_a_limit_that_the_baseline_keeps_is_named(gates: Gates, named: list[str]) -> None:
    known = {"accuracy": 0.6, "mae": 10.0, "recall": 0.0, "calibration_error": 0.0}
    found = list(idle_limits(gates, known | {"precision": math.nan}))
    assert [sentence.split(": ")[1].partition(" asks")[0] for sentence in found] == named


WORSE = Difference(-0.2, -0.25, -0.15, 0.02)
REFUSALS = {
    "above -0.02 is required": differing(low=-0.021),
    "lower bound -0.0200": differing(low=-0.02),
    "lower bound +nan": differing(low=math.nan),
    "999 resamples, 1000 are needed": compared(drawn=(0.0,) * 999),
    "slice colour=red (200 rows): 0.6100 against 0.8000, worse by more than 0.05": compared(
        slices=(replace(LARGE, challenger=0.61, difference=WORSE),)
    ),
    "0.8000, undefined": compared(
        slices=(replace(LARGE, challenger=math.nan, difference=Difference(*[math.nan] * 4)),)
    ),
    "it could not be measured": against(comparison=None),
    "champion version 1 was trained on 3 of the holdout's rows": against(trained_on=3),
    "not known which rows champion version 1 was trained on": against(trained_on=None),
    "--allow-breaking yes is needed": against(breaks=("column x is no longer accepted",)),
    "not known whether today's callers": against(breaks=None),
    "not known whether there is a champion": replace(GOOD, opponent=None),
    "accuracy 0.6900, at least 0.7": replace(
        GOOD, figures={"accuracy": 0.69, "calibration_error": 0.05}
    ),
    "calibration_error 0.1100, at most 0.1": replace(
        GOOD, figures={"accuracy": 0.8, "calibration_error": 0.11}
    ),
    "calibration_error nan": replace(GOOD, figures={"accuracy": 0.8}),
    "accuracy nan": replace(GOOD, figures={"accuracy": math.nan, "calibration_error": 0.05}),
    "was not measured on the holdout": replace(GOOD, figures=None),
    "too few holdout rows: 99, at least 100": replace(GOOD, rows=99),
    "9 holdout rows of 'True', the rarest class; at least 10": replace(
        GOOD, rarest=RarestClass("True", 9)
    ),
    "the baseline was not measured": replace(GOOD, baseline=None),
    "no comparison with the baseline": replace(GOOD, opponent=NoChampion(None)),
    "0.6000 of the baseline: difference +0.2000, lower bound +0.0000": replace(
        FIRST,
        opponent=NoChampion(replace(EQUAL, champion=0.6, difference=Difference(0.2, 0, 0.3, 0.1))),
    ),
    "rows are not those that the version was registered with": replace(GOOD, holdout_hash="cd"),
    "the challenger was trained on 1 of the holdout's rows": replace(GOOD, trained_on=1),
    "p99 11.000 ms, at most 10 ms": replace(GOOD, latency=Latency(1000, 1, 11)),
    "hold 51.00 MB, at most 50": replace(GOOD, size_mb=51),
    "no passed validation": replace(GOOD, validation=None),
    "raw_hash missing": replace(GOOD, missing_tags=("raw_hash",)),
    "champion version 1 can't be read": replace(
        GOOD, problems=("champion version 1 can't be read: model.onnx is missing",)
    ),
}


@pytest.mark.parametrize("said", REFUSALS)
def test_a_refusal_names_its_reason_and_nothing_else(said: str) -> None:
    decision = decide(GATES, REFUSALS[said])
    assert not decision.passed
    assert len(decision.reasons) == 1
    assert said in decision.reasons[0]


def test_a_small_slice_and_one_with_a_single_class_have_no_veto() -> None:
    undefined = Difference(math.nan, -math.inf, math.inf, math.nan)
    single = SliceDifference("colour", "green", 80, math.nan, math.nan, undefined)
    assert decide(GATES, compared(slices=(SMALL, single))).passed


def test_slices_are_judged_together() -> None:
    """A p of 0.02 is a veto when it stands alone, and none among three."""
    found = replace(LARGE, difference=Difference(-0.11, -0.17, -0.05, 0.03))
    assert not decide(GATES, compared(slices=(found,))).passed
    assert decide(GATES, compared(slices=(found, LARGE, LARGE))).passed


def test_a_breaking_change_is_allowed_by_hand_alone_and_recorded() -> None:
    evidence = against(breaks=("column x is no longer accepted",))
    assert "allowed by --allow-breaking" in " ".join(decide(GATES, evidence, True).reasons)
    evidence = against(breaks=("a",), comparison=None, incomparable="it needs column x")
    assert not decide(GATES, evidence).passed
    assert decide(GATES, evidence, True).passed
    assert not decide(GATES, against(comparison=None), True).passed  # unreadable is no break


UNLIMITED = GATES.model_copy(update={"minimum": {}, "maximum": {}})


def test_without_declared_limits_the_first_version_passes_by_the_lower_bound_alone() -> None:
    passed = decide(UNLIMITED, FIRST)
    assert passed.passed, passed.reasons
    assert "lower bound +0.1000, above +0 is required" in passed.reasons[0]
    even = replace(EQUAL, champion=0.6, difference=Difference(0.2, 0.0, 0.3, 0.05))
    assert not decide(UNLIMITED, replace(FIRST, opponent=NoChampion(even))).passed


def test_without_declared_limits_a_later_version_must_beat_the_baseline_too() -> None:
    """The margin of each version would add up without an end otherwise."""
    assert decide(UNLIMITED, GOOD).reasons == (
        "no absolute limit is declared, and no comparison with the baseline",
    )
    over = replace(EQUAL, champion=0.6, difference=Difference(0.2, 0.1, 0.3, 0.05))
    assert decide(UNLIMITED, replace(GOOD, over_baseline=over)).passed
    level = replace(over, difference=Difference(0.2, -0.01, 0.3, 0.05))
    refused = decide(UNLIMITED, replace(GOOD, over_baseline=level))
    assert not refused.passed
    assert refused.reasons[0].startswith("no absolute limit is declared; accuracy 0.8000 against")


def test_a_regression_needs_no_classes() -> None:
    scored = Scored(np.arange(3.0), np.arange(3.0))
    assert decide(GATES, replace(GOOD, rarest=RarestClass.of(scored))).passed
    assert RarestClass.of(scored) == NoClasses()


# Whatever is broken

unusable = st.sampled_from([math.nan, math.inf, -math.inf])
BROKEN: dict[str, st.SearchStrategy[Any]] = {
    "problems": st.none() | st.lists(st.text(min_size=1), min_size=1).map(tuple),
    "missing_tags": st.none() | st.lists(st.text(min_size=1), min_size=1).map(tuple),
    "validation": st.none() | st.just(""),
    "rows": st.none() | st.integers(max_value=99),
    "rarest": st.none() | st.builds(RarestClass, st.text(), st.integers(max_value=9)),
    "holdout_hash": st.none() | st.text().filter(lambda text: text != "ab"),
    "registered_hash": st.none() | st.text().filter(lambda text: text != "ab"),
    "trained_on": st.none() | st.integers().filter(bool),
    "figures": st.none()
    | st.fixed_dictionaries({"accuracy": unusable | st.floats(max_value=0.69)})
    | st.fixed_dictionaries({"accuracy": unusable, "calibration_error": st.just(0.05)}),
    "baseline": st.none() | st.just({}),
    "latency": st.none()
    | st.builds(
        Latency, st.just(1000), st.just(1.0), unusable | st.floats(10.1) | st.floats(max_value=0)
    ),
    "size_mb": st.none() | unusable | st.floats(50.1) | st.floats(max_value=0),
    "opponent": st.none()
    | st.just(NoChampion(None))
    | st.builds(lambda rows: replace(CHAMPION, trained_on=rows), st.integers().filter(bool))
    | st.just(replace(CHAMPION, comparison=None))
    | st.builds(lambda low: differing(low=low).opponent, unusable | st.floats(max_value=-0.0201))
    | st.builds(lambda value: differing(value=value).opponent, unusable)
    | st.builds(lambda value: compared(challenger=value).opponent, unusable)
    | st.builds(lambda value: compared(champion=value).opponent, unusable)
    | st.builds(
        lambda error: (
            compared(
                slices=(replace(LARGE, difference=Difference(-0.9, -1, -0.8, error)),)
            ).opponent
        ),
        st.just(math.nan) | st.floats(0, 0.1),
    ),
}


@st.composite
def broken(draw: st.DrawFn) -> GateEvidence:
    names = draw(st.sets(st.sampled_from(sorted(BROKEN)), min_size=1))
    if {"holdout_hash", "registered_hash"} <= names:
        names.discard("registered_hash")  # two wrong ones may agree
    base = draw(st.sampled_from([GOOD, FIRST]))
    return replace(base, **{name: draw(BROKEN[name]) for name in names})


def test_every_field_of_the_evidence_can_be_broken() -> None:
    asked = {field.name for field in fields(GateEvidence)} - {"version", "over_baseline"}
    assert asked == set(BROKEN)


@settings(max_examples=400, deadline=None)
@given(broken(), st.booleans())
def test_broken_evidence_never_passes(evidence: GateEvidence, allow_breaking: bool) -> None:
    decision = decide(GATES, evidence, allow_breaking)
    assert not decision.passed
    assert decision.reasons


# How often the gate errs

SIMULATIONS, ROWS, RESAMPLES, RATE = 1000, 2500, 1000, 0.05


def simulated(worse_by: float, seed: int, n_rows: int = ROWS) -> Iterator[Difference]:
    """Differences in accuracy between pairs of made models, each pair on rows of its own.

    They disagree on a tenth of the rows, and the challenger is worse by `worse_by` in truth. All
    pairs are resampled by the same weights, so that a thousand gates cost one product of matrices.
    """
    random = np.random.default_rng(seed)
    drawn = random.random((n_rows, SIMULATIONS))
    won, lost = 0.05 - worse_by / 2, 0.05 + worse_by / 2
    ahead = (drawn < won).astype(float) - ((drawn >= won) & (drawn < won + lost))
    values = bootstrap({"gain": lambda weights: weights @ ahead / n_rows}, n_rows, RESAMPLES)
    for i in range(SIMULATIONS):
        yield difference(float(ahead[:, i].mean()), values["gain"][:, i])


def at_most(rate: float) -> int:
    """Successes that a true rate of at most `rate` exceeds once in a thousand such tests."""
    return int(SIMULATIONS * rate + 3.1 * math.sqrt(SIMULATIONS * rate * (1 - rate)))


def test_a_version_worse_by_the_margin_passes_in_at_most_5_percent() -> None:
    found = [decide(GATES, compared(difference=d)) for d in simulated(GATES.margin, seed=1)]
    assert 0 < sum(decision.passed for decision in found) <= RATE * SIMULATIONS


def test_an_equal_version_passes_in_at_least_80_percent_at_2500_rows() -> None:
    found = [decide(GATES, compared(difference=d)) for d in simulated(0.0, seed=2)]
    failed = SIMULATIONS - sum(decision.passed for decision in found)
    assert failed + (at_most(0.2) - 0.2 * SIMULATIONS) <= 0.2 * SIMULATIONS


def test_slices_worse_by_the_slice_margin_veto_in_at_most_5_percent_of_all_gates() -> None:
    """Five slices at once, each worse by exactly what is tolerated."""
    five = zip(*(simulated(GATES.slice_margin, seed, 1000) for seed in range(5)), strict=True)
    vetoed = 0
    for found in five:
        slices = tuple(replace(LARGE, value=str(i), difference=d) for i, d in enumerate(found))
        vetoed += not decide(GATES, compared(slices=slices)).passed
    assert 0 < vetoed <= at_most(RATE)


def test_a_slice_twice_as_bad_as_tolerated_is_found() -> None:
    found = simulated(2 * GATES.slice_margin, seed=3, n_rows=1000)
    decisions = [decide(GATES, compared(slices=(replace(LARGE, difference=d),))) for d in found]
    assert sum(not decision.passed for decision in decisions) >= 0.8 * SIMULATIONS
