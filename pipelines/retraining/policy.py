"""Whether to retrain: pure, from verdicts, labels, earlier retrainings, and what people ask for.

A verdict calls for it, labels allow it. People may ask without a verdict and may accept labels that
look wrong, with a reason; too few labels stay too few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from contract.use_case.model import UseCase
from contract.use_case.sections.monitoring import Monitoring
from contract.use_case.sections.retraining import Retraining
from contract.use_case.sections.split import TimeSplit
from monitoring.alerts.policy import kind_of, of_labels
from monitoring.verdict.evidence import DriftVerdict

State = Literal[
    "RETRAIN",
    "NOT_NEEDED",
    "WAITING",
    "COOLING_DOWN",
    "TOO_FEW_LABELS",
    "SUSPICIOUS_LABELS",
    "BUSY",
]


@dataclass(frozen=True)
class ReportedWindow:
    """A window of the champion and the verdict of its newest report."""

    run_id: str
    window: str
    end: datetime
    verdict: DriftVerdict
    candidate: str = ""  # the version that was made because of this window


@dataclass(frozen=True)
class LabelledWindow:
    """A window that has its labels, days [start, end) of the use case's time zone."""

    start: date
    end: date
    rows: int  # labelled


@dataclass(frozen=True)
class LabelledAnswers:
    """The labelled answers of days [start, end), one for each row of data."""

    start: date
    end: date
    rows: int  # of them, new to the champion and older than what is held out
    holdout: LabelledWindow | None  # the newest window that may be held out
    shift: float = 0.0  # of the labels of one window against the champion's data, at most
    shifted: str = ""  # that window
    key: str = ""  # the API key that gave the largest share of the labels of one window
    key_share: float = 0.0
    key_window: str = ""  # that window
    read: Mapping[str, int] = field(default_factory=dict)  # versions of the tables, by their names


@dataclass(frozen=True)
class PersonalRequest:
    """What a person asks for beyond the policy."""

    force: bool = False  # without a verdict, while cooling down or while another one waits
    accept_labels: bool = False  # though they look suspicious
    reason: str = ""


@dataclass(frozen=True)
class RetrainHistory:
    """What earlier retrainings left behind."""

    last: datetime | None = None  # as of when the last one was made
    waiting: str = ""  # the challenger that waits for approval


@dataclass(frozen=True)
class RetrainDecision:
    """What to do, and why in sentences."""

    state: State
    reasons: tuple[str, ...]
    cause: ReportedWindow | None = None

    @property
    def go(self) -> bool:
        """Whether to retrain."""
        return self.state == "RETRAIN"


def called_for(
    windows: Sequence[ReportedWindow],
    before: RetrainHistory,
    now: datetime,
    use_case: UseCase,
    wish: PersonalRequest,
) -> RetrainDecision:
    """Whether a verdict or a person wants a retraining, after what was `before`."""
    policy = use_case.monitoring
    cause = cause_of(windows, policy)
    reasons = (_named(cause, policy),) if cause else ()
    if wish.force:
        return RetrainDecision("RETRAIN", (*reasons, f"Asked for by hand: {wish.reason}."), cause)
    if cause is None:
        return RetrainDecision("NOT_NEEDED", (_nothing(windows, policy),))
    if before.waiting:
        waits = f"Version {before.waiting} waits for approval; promote or reject it first."
        return RetrainDecision("WAITING", (*reasons, waits), cause)
    pause = timedelta(days=use_case.retraining.cool_down_days)
    if before.last is not None and now - before.last < pause:
        rests = f"The last retraining was made as of {before.last:%Y-%m-%d %H:%M} UTC; "
        rests += f"cool_down_days {use_case.retraining.cool_down_days:g} have not passed since."
        return RetrainDecision("COOLING_DOWN", (*reasons, rests), cause)
    return RetrainDecision("RETRAIN", reasons, cause)


def allowed(
    decision: RetrainDecision, labels: LabelledAnswers, use_case: UseCase, wish: PersonalRequest
) -> RetrainDecision:
    """The same decision where the labels are enough and look like labels, else why not."""
    policy, before = use_case.retraining, decision.reasons
    if labels.rows < policy.min_labels:
        few = f"{labels.rows:,} labelled rows ({labels.start} to {labels.end}) are new to the "
        few += "champion and older than what is held out; retraining.min_labels asks for "
        few += f"{policy.min_labels:,}."
        return replace(decision, state="TOO_FEW_LABELS", reasons=(*before, few))
    if isinstance(use_case.split, TimeSplit) and labels.holdout is None:
        none = _no_holdout(use_case)
        return replace(decision, state="TOO_FEW_LABELS", reasons=(*before, none))
    odd = suspicions(labels, policy)
    if odd and not wish.accept_labels:
        return replace(decision, state="SUSPICIOUS_LABELS", reasons=(*before, *odd))
    if odd:
        odd = (*odd, f"Accepted by hand: {wish.reason}.")
    return replace(decision, reasons=(*before, *odd))


def least_holdout(use_case: UseCase) -> int:
    """Labels that a window needs to be held out: what monitoring and the gate ask for."""
    return max(use_case.monitoring.min_labels, use_case.gates.min_rows)


def cause_of(windows: Sequence[ReportedWindow], policy: Monitoring) -> ReportedWindow | None:
    """The newest window that calls for a retraining and got none yet, with the signals that count.

    A window that got one answers for all before it, and for its own later revisions.
    """
    answered = [w.end for w in windows if w.candidate]
    open_calls = [
        w
        for w in counting(windows, policy)
        if calling(w, policy) and (not answered or w.end > max(answered))
    ]
    return open_calls[-1] if open_calls else None


def counting(windows: Sequence[ReportedWindow], policy: Monitoring) -> list[ReportedWindow]:
    """The windows that count, oldest first, each with only the signals that still do.

    What rests on labels counts for the last `of_last` windows that have them, all else for the last
    `of_last`: labels come late, so a window without them says nothing about performance.
    """
    ordered = sorted(windows, key=lambda w: w.end)
    labelled = [w for w in ordered if w.verdict.labelled][-policy.of_last :]
    newest = ordered[-policy.of_last :]
    return [
        _drifting_only(w, labels=w in labelled, others=w in newest)
        for w in ordered
        if w in labelled or w in newest
    ]


def _drifting_only(window: ReportedWindow, labels: bool, others: bool) -> ReportedWindow:
    """The window with those drifting signals that rest on labels, those that do not, or both."""
    kept = tuple(s for s in window.verdict.drifting if (labels if of_labels(s) else others))
    return replace(window, verdict=replace(window.verdict, drifting=kept))


def calling(window: ReportedWindow, policy: Monitoring) -> tuple[str, ...]:
    """The drifting signals that the policy names: `columns:size` is one of `columns`."""
    return tuple(s for s in window.verdict.drifting if kind_of(s) in policy.retrain_on)


def suspicions(labels: LabelledAnswers, policy: Retraining) -> tuple[str, ...]:
    """What looks like labels that were made up, each with its limit."""
    reasons = []
    if labels.shift > policy.max_label_shift:
        reasons.append(
            f"The labels of {labels.shifted} are {labels.shift:.2f} away from those that the "
            f"champion learned from; max_label_shift is {policy.max_label_shift:g}."
        )
    if labels.key_share > policy.max_key_share:
        reasons.append(
            f"{labels.key_share:.0%} of the labels of {labels.key_window} came with the "
            f"API key {labels.key}; max_key_share is {policy.max_key_share:.0%}."
        )
    return tuple(reasons)


def _named(cause: ReportedWindow, policy: Monitoring) -> str:
    return f"Drift in {', '.join(calling(cause, policy))}, window {cause.window}."


def _nothing(windows: Sequence[ReportedWindow], policy: Monitoring) -> str:
    if not windows:
        return "No window of the champion has been judged yet."
    newest = max(windows, key=lambda w: w.end)
    if any(calling(w, policy) for w in windows):
        return f"What called for a retraining got one, or is long ago; newest: {newest.window}."
    signals = ", ".join(policy.retrain_on) or "anything that counts"
    return f"No window drifts in {signals}; newest: {newest.window}."


def _no_holdout(use_case: UseCase) -> str:
    policy = use_case.monitoring
    return (
        f"No {policy.every} of answers can be held out: {least_holdout(use_case):,} labels "
        f"(monitoring.min_labels, gates.min_rows) for {policy.min_label_coverage:.0%} of its rows "
        "are needed, of rows that the champion did not learn from."
    )
