"""The verdict on a window: pure, from effects, tests, labels and the verdicts on earlier windows.

A column drifts when its effect reaches the limit and its test, corrected for the number of columns,
agrees: with many rows everything is significant, with few rows everything is far away. One window
is a reason to watch; the same signal in k of the last n windows is drift.
"""

from collections.abc import Sequence

from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.compare import ColumnChange
from monitoring.measures.distances.registry import limit_of
from monitoring.verdict.evidence import (
    ColumnFinding,
    DriftVerdict,
    PastVerdict,
    State,
    WindowEvidence,
)
from monitoring.verdict.reasons import fell, moved, named, remarks

MAX_SENTENCES = 8  # signals with a sentence of their own


def find(changes: Sequence[ColumnChange], policy: Monitoring) -> tuple[ColumnFinding, ...]:
    """Judge all changes of a window as one family.

    The false discovery rate is held by Benjamini and Hochberg (1995), which also holds for
    positively dependent columns (Benjamini and Yekutieli, 2001).
    """
    if not changes:
        return ()
    from scipy.stats import false_discovery_control

    adjusted = false_discovery_control([c.p_value for c in changes], method="bh")
    pairs = zip(changes, adjusted, strict=True)
    return tuple(_finding(change, float(p), policy) for change, p in pairs)


def decide(
    evidence: WindowEvidence, past: Sequence[PastVerdict], policy: Monitoring
) -> DriftVerdict:
    """The verdict on a window; `past` are the earlier judged windows, the newest last."""
    if not evidence.rows:
        return DriftVerdict("NO_DATA", ("The window holds no predictions.",))
    if not evidence.reference:
        nothing = "The version has no readable reference, so its window was counted, not judged."
        return DriftVerdict("NO_REFERENCE", (nothing,))
    if evidence.rows < policy.min_rows:
        few = f"The window holds {evidence.rows:,} rows; {policy.min_rows:,} are needed."
        return DriftVerdict("NOT_ENOUGH_DATA", (few,))
    sentences = _signals(evidence, policy)
    signals = tuple(sentences)
    drifting = tuple(s for s in signals if _persists(s, past, policy))
    alarms = tuple(s for s in drifting if not _raised_lately(s, past, policy))
    head, state = _head(evidence, signals, drifting, alarms, policy)
    details = list(sentences.values())
    if len(details) > MAX_SENTENCES:
        rest = len(details) - MAX_SENTENCES
        details[MAX_SENTENCES:] = [f"And {rest} more, in the table of columns."]
    reasons = (head, *details, *remarks(evidence, policy))
    return DriftVerdict(state, reasons, signals, drifting, alarms, evidence.labelled(policy))


def _finding(change: ColumnChange, adjusted: float, policy: Monitoring) -> ColumnFinding:
    limit = limit_of(change.name, policy)
    return ColumnFinding(
        change, limit, adjusted, change.effect >= limit and adjusted <= policy.alpha
    )


def _signals(evidence: WindowEvidence, policy: Monitoring) -> dict[str, str]:
    """Signals of this window with their sentences, the weightiest first."""
    sentences = {}
    realised = evidence.realised
    if realised and evidence.labelled(policy) and realised.certain(policy):
        sentences["performance"] = fell("", realised, policy)
    if evidence.schema:
        sentences["schema"] = f"Columns changed: {'; '.join(evidence.schema)}."
    order = {"prediction": 0, "label": 1, "columns": 2}
    moves = [f for f in evidence.findings if f.drifted]
    for f in sorted(moves, key=lambda f: (order[f.change.role], -f.change.effect)):
        sentences[f.signal] = moved(f)
    return sentences


def _persists(signal: str, past: Sequence[PastVerdict], policy: Monitoring) -> bool:
    if signal == "schema":  # an event, not a measurement: once is enough
        return True
    earlier = past[-(policy.of_last - 1) :] if policy.of_last > 1 else ()
    return 1 + sum(signal in p.signals for p in earlier) >= policy.alarm_windows


def _raised_lately(signal: str, past: Sequence[PastVerdict], policy: Monitoring) -> bool:
    lately = past[-policy.cool_down :] if policy.cool_down else ()
    return any(signal in p.alarms for p in lately)


def _head(
    evidence: WindowEvidence,
    signals: tuple[str, ...],
    drifting: tuple[str, ...],
    alarms: tuple[str, ...],
    policy: Monitoring,
) -> tuple[str, State]:
    often = f"in {policy.alarm_windows} of the last {policy.of_last} windows"
    if "schema" in signals:
        return "Columns differ from the reference; all others were judged.", "SCHEMA_CHANGED"
    if drifting:
        raised = f"alarm raised for {named(alarms)}" if alarms else "alarm already raised"
        return f"Drift {often}, this one included: {named(drifting)}; {raised}.", "DRIFT"
    if signals:
        return f"Drift in this window, not yet {often}: {named(signals)}.", "WATCH"
    estimated = evidence.estimated
    if not evidence.labelled(policy) and estimated is not None and estimated.certain(policy):
        return "No drift, but the estimated performance has fallen.", "WATCH"
    return "No drift.", "OK"
