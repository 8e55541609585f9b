"""What an alert says: pure, from the decision and the reports that it rests on.

It names columns and figures of whole windows, never an input value, since mail and chat are read
by more people than the report is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from contract.use_case.model import UseCase
from contract.use_case.sections.monitoring import Monitoring
from monitoring.alerts.policy import DueAlert, Kind, kind_of, of_labels
from monitoring.measures.compare import ColumnChange
from monitoring.measures.performance import PerformanceFall
from monitoring.verdict.evidence import ColumnFinding
from monitoring.verdict.reasons import fell, moved

NO_VERSION = "none"  # of a test, or of what is about no version
MAX_SENTENCES = 8  # signals with a sentence of their own
NEXT_STEPS = {
    "schema": "Find the caller whose columns changed and correct it; all others were judged.",
    "performance": "Retrain: fourcycle retrain --use-case {name}. If an earlier version "
    "was better: fourcycle rollback --use-case {name}.",
    "prediction": "Look at which columns moved with the predictions. If none did, look at what "
    "was promoted: fourcycle history --use-case {name}.",
    "label": "Check where the labels come from. If they are right, retrain on newer rows.",
    "columns": "Look at what moved. Repair a broken source; give seasonal columns limits of their "
    "own (monitoring.effect_limits).",
}


@dataclass(frozen=True)
class Message:
    """One message to people; a repeated delivery has the same `id`."""

    id: str
    kind: Kind | Literal["test"]
    use_case: str
    title: str
    owner: str
    version: str
    window: str
    revision: int
    state: str
    signals: tuple[str, ...]  # that opened, or recovered
    reasons: tuple[str, ...]
    next_steps: tuple[str, ...]
    report: str  # address in MLflow's user interface
    decided: str  # ISO 8601

    @property
    def of_version(self) -> bool:
        """Whether it is about a window of a version."""
        return self.version != NO_VERSION


@dataclass(frozen=True)
class AlertGrounds:
    """The documents of the reports that a decision rests on."""

    newest: Mapping[str, Any]
    labelled: Mapping[str, Any] | None
    latest: Mapping[str, Any]  # the one of the two that was made last

    def of(self, signal: str) -> Mapping[str, Any]:
        """The document that speaks about a signal."""
        if self.labelled is not None and of_labels(signal):
            return self.labelled
        return self.newest


def compose(
    due: DueAlert, grounds: AlertGrounds, use_case: UseCase, run_id: str, report: str, decided: str
) -> Message:
    """The message that is due; `run_id` is that of the latest report."""
    assert due.kind is not None, "a message is due"
    latest = grounds.latest
    return Message(
        id=f"alert-{run_id}",
        kind=due.kind,
        use_case=use_case.name,
        title=use_case.title,
        owner=use_case.owner,
        version=str(latest["version"]),
        window=str(latest["window"]),
        revision=int(latest["revision"]),
        state=str(latest["verdict"]["state"]),
        signals=due.about,
        reasons=_reasons(due, grounds, use_case.monitoring),
        next_steps=_next_steps(due, use_case.name),
        report=report,
        decided=decided,
    )


def of_no_version(use_case: UseCase, **said: Any) -> Message:
    """A message about no window of a version; `said` are the fields that are left."""
    return Message(
        use_case=use_case.name,
        title=use_case.title,
        owner=use_case.owner,
        version=NO_VERSION,
        window=NO_VERSION,
        revision=1,
        **said,
    )


def rehearsal(use_case: UseCase, id_: str, report: str, decided: str) -> Message:
    """A test message, to try the channels."""
    return of_no_version(
        use_case,
        id=id_,
        kind="test",
        state="TEST",
        signals=(),
        reasons=("This is a test of the alert channels. Nothing has happened.",),
        next_steps=("None.",),
        report=report,
        decided=decided,
    )


def _reasons(due: DueAlert, grounds: AlertGrounds, policy: Monitoring) -> tuple[str, ...]:
    if due.kind == "recovery":
        return (due.reason, f"This window: {grounds.latest['verdict']['reasons'][0]}")
    sentences = [_sentence(signal, grounds, policy) for signal in due.about[:MAX_SENTENCES]]
    if len(due.about) > MAX_SENTENCES:
        sentences.append(f"And {len(due.about) - MAX_SENTENCES} more, in the report.")
    return (due.reason, *sentences)


def _sentence(signal: str, grounds: AlertGrounds, policy: Monitoring) -> str:
    """A signal's sentence, with its window where that is not the message's own."""
    report = grounds.of(signal)
    where = "" if report is grounds.latest else f"{report['window']}: "
    if signal == "performance":
        return where + fell("", PerformanceFall(**report["performance"]["realised_fall"]), policy)
    if signal == "schema":
        return f"{where}Columns changed: {'; '.join(report['schema'])}."
    findings = [_finding(f) for f in report["findings"]]
    return where + next(moved(f) for f in findings if f.signal == signal)


def _finding(document: Mapping[str, Any]) -> ColumnFinding:
    """A finding as the report holds it, but for the words of the column that moved."""
    change = ColumnChange(**{**document["change"], "told": ""})
    return ColumnFinding(change, document["limit"], document["adjusted"], document["drifted"])


def _next_steps(due: DueAlert, name: str) -> tuple[str, ...]:
    if due.kind == "recovery":
        return ("Nothing needs to be done.",)
    kinds = dict.fromkeys(kind_of(signal) for signal in due.about)
    return tuple(NEXT_STEPS[kind].format(name=name) for kind in kinds)
