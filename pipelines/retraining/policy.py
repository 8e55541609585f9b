"""Whether to retrain: pure, from verdicts, labels, earlier retrainings, and what people ask for.

A verdict calls for it, labels allow it. People may ask without a verdict and may accept labels that
look wrong, with a reason; too few labels stay too few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

from contract.use_case.model import Monitoring, Retraining, TimeSplit, UseCase
from monitoring.alerts.policy import kind_of, of_labels

# On the run of a retraining and the version it made.
WHY_TAG = "retrained_why"
LABELS_TAG = "retrained_labels"  # the days of the labelled answers that joined

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
class MonitoringVerdict:
    """What the newest report on a window of the champion says."""

    run_id: str
    window: str
    end: datetime
    labelled: bool  # its labels were judged too
    drifting: tuple[str, ...] = ()  # signals that fired often enough
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
    key: str = ""  # the API key that said the largest share of the labels of one window
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
    cause: MonitoringVerdict | None = None

    @property
    def go(self) -> bool:
        """Whether to retrain."""
        return self.state == "RETRAIN"


def called_for(
    verdicts: Sequence[MonitoringVerdict],
    before: RetrainHistory,
    now: datetime,
    use_case: UseCase,
    wish: PersonalRequest,
) -> RetrainDecision:
    """Whether a verdict or a person wants a retraining, after what was `before`."""
    policy = use_case.monitoring
    cause = cause_of(verdicts, policy)
    found = (_named(cause, policy),) if cause else ()
    if wish.force:
        return RetrainDecision("RETRAIN", (*found, f"Asked for by hand: {wish.reason}."), cause)
    if cause is None:
        return RetrainDecision("NOT_NEEDED", (_nothing(verdicts, policy),))
    if before.waiting:
        waits = f"Version {before.waiting} waits for approval; promote or reject it first."
        return RetrainDecision("WAITING", (*found, waits), cause)
    pause = timedelta(days=use_case.retraining.cool_down_days)
    if before.last is not None and now - before.last < pause:
        rests = f"The last retraining was made as of {before.last:%Y-%m-%d %H:%M} UTC; "
        rests += f"cool_down_days {use_case.retraining.cool_down_days:g} have not passed since."
        return RetrainDecision("COOLING_DOWN", (*found, rests), cause)
    return RetrainDecision("RETRAIN", found, cause)


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


def cause_of(verdicts: Sequence[MonitoringVerdict], policy: Monitoring) -> MonitoringVerdict | None:
    """The newest verdict that calls for a retraining and got none yet, with the signals that count.

    A window that got one answers for all before it, and for its own later revisions.
    """
    answered = [v.end for v in verdicts if v.candidate]
    still = [
        v
        for v in counting(verdicts, policy)
        if calling(v, policy) and (not answered or v.end > max(answered))
    ]
    return still[-1] if still else None


def counting(verdicts: Sequence[MonitoringVerdict], policy: Monitoring) -> list[MonitoringVerdict]:
    """The verdicts that count, oldest window first, each with only the signals that still do.

    What rests on labels counts for the last `of_last` windows that have them, all else for the last
    `of_last`: labels come late, so a window without them says nothing about performance.
    """
    ordered = sorted(verdicts, key=lambda v: v.end)
    late = [v for v in ordered if v.labelled][-policy.of_last :]
    last = ordered[-policy.of_last :]
    return [
        replace(v, drifting=tuple(s for s in v.drifting if v in (late if of_labels(s) else last)))
        for v in ordered
        if v in late or v in last
    ]


def calling(verdict: MonitoringVerdict, policy: Monitoring) -> tuple[str, ...]:
    """The signals of a verdict that the policy names: `columns:size` is one of `columns`."""
    return tuple(s for s in verdict.drifting if kind_of(s) in policy.retrain_on)


def suspicions(labels: LabelledAnswers, policy: Retraining) -> tuple[str, ...]:
    """What looks like labels that were made up, each with its limit."""
    found = []
    if labels.shift > policy.max_label_shift:
        found.append(
            f"The labels of {labels.shifted} are {labels.shift:.2f} away from those that the "
            f"champion learned from; max_label_shift is {policy.max_label_shift:g}."
        )
    if labels.key_share > policy.max_key_share:
        found.append(
            f"{labels.key_share:.0%} of the labels of {labels.key_window} were said by the "
            f"API key {labels.key}; max_key_share is {policy.max_key_share:.0%}."
        )
    return tuple(found)


def _named(cause: MonitoringVerdict, policy: Monitoring) -> str:
    return f"Drift in {', '.join(calling(cause, policy))}, window {cause.window}."


def _nothing(verdicts: Sequence[MonitoringVerdict], policy: Monitoring) -> str:
    if not verdicts:
        return "No window of the champion has been judged yet."
    newest = max(verdicts, key=lambda v: v.end)
    if any(calling(v, policy) for v in verdicts):
        return f"What called for a retraining got one, or is long ago; newest: {newest.window}."
    named = ", ".join(policy.retrain_on) or "anything that counts"
    return f"No window drifts in {named}; newest: {newest.window}."


def _no_holdout(use_case: UseCase) -> str:
    policy = use_case.monitoring
    return (
        f"No {policy.every} of answers can be held out: {least_holdout(use_case):,} labels "
        f"(monitoring.min_labels, gates.min_rows) for {policy.min_label_coverage:.0%} of its rows "
        "are needed, of rows that the champion did not learn from."
    )
