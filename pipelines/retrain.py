"""Retrain: when monitoring calls for it, run the pipeline with labelled answers added to the data.

What the champion learned from and was measured on is joined by the labelled answers of a declared
window; the newest window that has its labels is held out. From there on it is the pipeline of
`main`, gate and approval included. docs/retraining.md explains who decides what.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from mlflow import MlflowClient

from contract.errors import BadInput, Busy, Refused
from contract.markdown import plain
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.registry.description import APPROVAL_TAG, PENDING
from pipelines.registry.versions import Version, challenger_of, champion_of
from pipelines.retraining.candidate import AS_OF_TAG, RetrainRequest, make_candidate, seen_by
from pipelines.retraining.label_checks import label_figures
from pipelines.retraining.options import (
    AcceptOption,
    AsOfOption,
    ForceOption,
    ReasonOption,
    read_as_of,
    read_wish,
)
from pipelines.retraining.policy import (
    PersonalRequest,
    RetrainDecision,
    RetrainHistory,
    State,
    allowed,
    called_for,
)
from pipelines.retraining.verdicts import RETRAINING_TAG, read_verdicts, tell
from pipelines.runtime import cli
from pipelines.runtime.console import summary, working
from pipelines.runtime.lease import leased
from pipelines.runtime.process_identity import process_identity
from pipelines.runtime.workspace import Workspace, open_workspace


@dataclass(frozen=True)
class Retrained:
    """What was decided and, where it was to retrain, what came of it."""

    state: State
    reasons: tuple[str, ...]
    cause: str = ""  # run of the report that called for it
    champion: str = ""  # the version in Production before
    version: str = ""  # the candidate
    gate_passed: bool | None = None
    conclusion: str = ""  # whether it is live, and why
    run_id: str = ""


def retrain(
    use_case: str | UseCase,
    root: str = "",
    as_of: datetime | None = None,
    wish: PersonalRequest | None = None,
) -> Retrained:
    """Retrain where a verdict or a person calls for it and the labels allow it.

    `as_of` (with its zone) stands for now: later windows, answers and labels are not known then.
    BadInput when it is in the future: it would be what the next pause is counted from.
    """
    today, wanted = datetime.now(UTC), wish or PersonalRequest()
    now = as_of or today
    if now > today:
        raise BadInput(f"as_of: {now:%Y-%m-%d %H:%M %Z} is in the future; a time before is needed.")
    try:
        with open_workspace(use_case, root) as workspace:
            return _retrain(workspace, now, wanted)
    except Busy as error:
        return Retrained("BUSY", (str(error),))


def _retrain(workspace: Workspace, now: datetime, wish: PersonalRequest) -> Retrained:
    champion = champion_of(workspace)
    if champion is None:
        return Retrained("NOT_NEEDED", ("No version is in Production; main makes the first one.",))
    decision = _called_for(workspace, champion, now, wish)
    if not decision.go:
        return _not_now(workspace, champion, decision)
    lasts = timedelta(hours=workspace.use_case.retraining.max_hours)
    with leased(workspace.tables, process_identity(), lasts):
        return _alone(workspace, now, wish)


def _alone(workspace: Workspace, now: datetime, wish: PersonalRequest) -> Retrained:
    """Decide again, since another host may just have done it; then do it."""
    champion = champion_of(workspace)
    if champion is None:
        raise Refused("The champion was taken away meanwhile; nothing was done.")
    called = _called_for(workspace, champion, now, wish)
    if not called.go:
        return _not_now(workspace, champion, called)
    seen = seen_by(workspace, champion)
    with working("counting labels"):
        labels = label_figures(workspace.tables, workspace.use_case, seen, now)
    decision = allowed(called, labels, workspace.use_case, wish)
    if not decision.go:
        return _not_now(workspace, champion, decision)
    call = RetrainRequest(decision, labels, now)
    made = make_candidate(workspace, champion, seen, call)
    outcome = made.outcome
    return Retrained(
        decision.state,
        decision.reasons,
        call.cause,
        champion.version,
        outcome.registered.version,
        outcome.gated.passed,
        outcome.conclusion,
        made.run_id,
    )


def _called_for(
    workspace: Workspace, champion: Version, now: datetime, wish: PersonalRequest
) -> RetrainDecision:
    verdicts = read_verdicts(workspace, champion, now)
    before = RetrainHistory(_last(workspace), _waiting(workspace))
    return called_for(verdicts, before, now, workspace.use_case, wish)


def _waiting(workspace: Workspace) -> str:
    """The challenger that waits for approval: another candidate would archive it."""
    challenger = challenger_of(workspace)
    waits = challenger is not None and challenger.tags.get(APPROVAL_TAG) == PENDING
    return challenger.version if challenger and waits else ""


def _last(workspace: Workspace) -> datetime | None:
    """As of when the last retraining was made that came to its end."""
    found = workspace.client.search_runs(
        [workspace.experiment_id],
        "tags.step = 'retrain' and attributes.status = 'FINISHED'",
        max_results=1,
    )
    text = found[0].data.tags.get(AS_OF_TAG, "") if found else ""
    return datetime.fromisoformat(text) if text else None


def _not_now(workspace: Workspace, champion: Version, decision: RetrainDecision) -> Retrained:
    cause = decision.cause.run_id if decision.cause else ""
    tell(workspace, cause, **{RETRAINING_TAG: f"{decision.state}: {decision.reasons[-1]}"})
    return Retrained(decision.state, decision.reasons, cause, champion.version)


def _tell_launch(done: Retrained) -> None:
    """Say on the run that `mlflow run` made, and no step has taken, why nothing was done."""
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        why = "\n\n".join((f"## {done.state}", *map(plain, done.reasons)))
        MlflowClient().set_tag(run_id, "mlflow.note.content", why)


def facts(done: Retrained) -> Mapping[str, str]:
    """For people, one line for each thing."""
    named = {
        "called for by": f"run {done.cause}" if done.cause else "",
        "champion before": f"version {done.champion}" if done.champion else "",
        "candidate": f"version {done.version}" if done.version else "",
        "Production": done.conclusion,
    }
    why = {f"why {n}": reason for n, reason in enumerate(done.reasons, 1)}
    return why | {name: said for name, said in named.items() if said}


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    as_of: AsOfOption = "",
    force: ForceOption = "",
    accept_labels: AcceptOption = "",
    reason: ReasonOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Retrain: train again if monitoring calls for it; exit code 1: suspicious labels."""
    declared = load_use_case(use_case)
    wish = read_wish(force, accept_labels, reason)
    done = retrain(declared, root, read_as_of(as_of, declared), wish)
    _tell_launch(done)
    if cli.flag(as_json):
        print(json.dumps(asdict(done), indent=2))
    look = {"look at the runs": "make ui"} if done.run_id else {}
    summary(f"{declared.name}: {done.state}", facts(done), look)
    if done.state == "SUSPICIOUS_LABELS":
        raise Refused(
            "The labels look suspicious, so nothing was trained. If they are right: "
            "--accept-labels yes --reason '...'"
        )


if __name__ == "__main__":
    # What stops a container or a job; without, nobody gives the lease back.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    cli.run(main)
