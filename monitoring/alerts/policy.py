"""Which message people are due about a version: pure, from what they were told and what is so."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from contract.use_case.model import Signal
from monitoring.verdict.evidence import DriftVerdict
from monitoring.verdict.reasons import listed

Kind = Literal["alarm", "recovery"]
FROM_LABELS = ("performance", "label")


@dataclass(frozen=True)
class AlertState:
    """What a version's newest windows say: signals that fire, drift, and raise an alarm."""

    firing: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpenAlerts:
    """What people know: signals whose alert is open, and those whose alert was closed."""

    open: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DueAlert:
    """The message that is due, if any: about which signals, and why."""

    kind: Kind | None
    about: tuple[str, ...]
    told: OpenAlerts  # once the message is out
    reason: str


def standing(newest: DriftVerdict, labelled: DriftVerdict | None) -> AlertState:
    """What is so now, from the newest judged window and the newest whose labels were judged.

    Labels come late, so a window without them says nothing about performance and labels.
    """
    late = labelled or newest
    return AlertState(
        _both(late.signals, newest.signals),
        _both(late.drifting, newest.drifting),
        _both(late.alarms, newest.alarms),
    )


def decide(now: AlertState, told: OpenAlerts, alert_on: Collection[Signal]) -> DueAlert:
    """An alarm when something drifts that nobody was told; a recovery when nothing open fires.

    While an alert is open, the same signal is no news. After its recovery it is news again once the
    verdict raises an alarm again, which the policy's cool-down delays.
    """
    opened = tuple(
        s
        for s in now.drifting
        if kind_of(s) in alert_on
        and s not in told.open
        and (s in now.alarms or s not in told.closed)
    )
    if opened:
        after = OpenAlerts(told.open.union(opened), told.closed.difference(opened))
        return DueAlert("alarm", opened, after, f"Newly drifting: {listed(opened)}.")
    still = tuple(s for s in now.firing if s in told.open)
    if still:
        return DueAlert(None, (), told, f"Told before, and open still: {listed(still)}.")
    if told.open:
        quiet = tuple(sorted(told.open))
        after = OpenAlerts(closed=told.closed | told.open)
        return DueAlert("recovery", quiet, after, f"Recovered: {listed(quiet)}.")
    return DueAlert(None, (), told, "Nothing is open, and nothing drifts that was not told.")


def _both(late: tuple[str, ...], newest: tuple[str, ...]) -> tuple[str, ...]:
    return (*filter(of_labels, late), *(s for s in newest if not of_labels(s)))


def of_labels(signal: str) -> bool:
    """Whether a signal can only be judged when labels have arrived."""
    return kind_of(signal) in FROM_LABELS


def kind_of(signal: str) -> str:
    """The word that a policy knows a signal by: `columns` for `columns:size`."""
    return signal.partition(":")[0]
