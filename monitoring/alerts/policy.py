"""Which message is due about a version: pure, from the alerts that are open and what drifts."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from contract.use_case.sections.monitoring import Signal
from monitoring.verdict.evidence import DriftVerdict
from monitoring.verdict.reasons import listed

Kind = Literal["alarm", "recovery"]
FROM_LABELS = ("performance", "label")


@dataclass(frozen=True)
class AlertState:
    """A version's newest windows: signals that drift, that do in enough windows, and alarms."""

    signals: tuple[str, ...] = ()
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
    alerts: OpenAlerts  # once the message is out
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


def decide(now: AlertState, alerts: OpenAlerts, alert_on: Collection[Signal]) -> DueAlert:
    """An alarm on new drift; a recovery once no signal of an open alert is left.

    While an alert is open, the same signal is no news. After its recovery it is news again once the
    verdict raises an alarm again, which the policy's cool-down delays.
    """
    opened = tuple(
        s
        for s in now.drifting
        if kind_of(s) in alert_on
        and s not in alerts.open
        and (s in now.alarms or s not in alerts.closed)
    )
    if opened:
        after = OpenAlerts(alerts.open.union(opened), alerts.closed.difference(opened))
        return DueAlert("alarm", opened, after, f"New drift: {listed(opened)}.")
    still = tuple(s for s in now.signals if s in alerts.open)
    if still:
        return DueAlert(None, (), alerts, f"Alert already open: {listed(still)}.")
    if alerts.open:
        quiet = tuple(sorted(alerts.open))
        after = OpenAlerts(closed=alerts.closed | alerts.open)
        return DueAlert("recovery", quiet, after, f"Recovered: {listed(quiet)}.")
    return DueAlert(None, (), alerts, "No alert is open, and there is no new drift.")


def _both(late: tuple[str, ...], newest: tuple[str, ...]) -> tuple[str, ...]:
    return (*filter(of_labels, late), *(s for s in newest if not of_labels(s)))


def of_labels(signal: str) -> bool:
    """Whether a signal can only be judged when labels have arrived."""
    return kind_of(signal) in FROM_LABELS


def kind_of(signal: str) -> str:
    """The word that a policy knows a signal by: `columns` for `columns:size`."""
    return signal.partition(":")[0]
