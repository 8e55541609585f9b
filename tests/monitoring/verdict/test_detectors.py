"""Detectors are instruments: how often they cry wolf, and how late they see what is there."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import binomtest

from benchmarks.simulation import (
    Kind,
    Stage,
    changed,
    delay_of_alarm,
    draw,
    evidence,
    follow,
    stage,
)
from monitoring.verdict.evidence import PastVerdict
from monitoring.verdict.verdict import decide

N_ROWS = 1000
WINDOWS = 400
SEEDS = 5


@pytest.fixture(scope="module")
def prepared() -> Iterator[Stage]:
    yield stage(resamples=100)


def upper(hits: int, trials: int) -> float:
    """Upper end of the two-sided 95 % Clopper-Pearson interval."""
    return float(binomtest(hits, trials).proportion_ci(0.95, method="exact").high)


def test_without_a_change_there_is_hardly_ever_an_alarm(prepared: Stage) -> None:
    policy = prepared.use_case.monitoring
    random = np.random.default_rng(0)
    past: list[PastVerdict] = []
    drifted = alarms = 0
    for _ in range(WINDOWS):
        window = draw(prepared, "none", 0, N_ROWS, random)
        verdict = decide(evidence(prepared, window, True, policy), past, policy)
        past.append(PastVerdict(frozenset(verdict.signals), frozenset(verdict.alarms)))
        drifted += bool(verdict.signals)
        alarms += bool(verdict.alarms)
    assert upper(alarms, WINDOWS) <= 0.02
    assert upper(drifted, WINDOWS) <= 0.05  # a single window, before k of n


@pytest.mark.parametrize(
    ("kind", "ramp", "label_delay", "within"),
    [
        ("covariate", 1, 3, 2),  # two windows are the fewest that the policy asks for
        ("covariate", 6, 3, 5),
        ("missing", 1, 3, 2),
        ("missing", 6, 3, 3),
        ("prior", 1, 0, 2),
        ("prior", 1, 3, 5),  # seen in the labels, so later by their delay
        ("concept", 1, 0, 2),
        ("concept", 1, 2, 4),
        ("concept", 6, 0, 6),
    ],
)
def test_a_change_is_found_in_time(
    prepared: Stage, kind: Kind, ramp: int, label_delay: int, within: int
) -> None:
    policy = prepared.use_case.monitoring
    delays = []
    for seed in range(SEEDS):
        steps = follow(prepared, changed(prepared, kind, ramp, N_ROWS, seed), label_delay, policy)
        delays.append(delay_of_alarm(steps, onset=2))
    found = [delay for delay in delays if delay is not None]
    assert len(found) == SEEDS, delays
    assert np.median(found) <= within, delays
