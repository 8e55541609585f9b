"""Retrain: when monitoring calls for it, run the pipeline with labelled answers added to the data.

What the champion learned from and was measured on is joined by the labelled answers of a declared
window; the newest window that has its labels is held out. From there on it is the pipeline of
`main`, gate and approval included. docs/retraining.md explains who decides what.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import mlflow
import typer

from contract.errors import BadInput, Busy, Refused
from contract.names import TableName
from contract.tables import TableVersion
from contract.use_case import UseCase
from contract.use_case_file import load_use_case
from pipelines import cli
from pipelines.console import console, summary, working
from pipelines.ingest import ingest_labelled
from pipelines.label_figures import Seen, label_figures
from pipelines.lease import leased
from pipelines.main import Outcome, after_ingest
from pipelines.register import WHY_TAG
from pipelines.registry import Version, champion_of
from pipelines.retraining import (
    Labels,
    RetrainDecision,
    State,
    Wish,
    allowed,
    called_for,
    calling,
)
from pipelines.step import step_run
from pipelines.training_set import training_set
from pipelines.verdicts import CANDIDATE_TAG, RETRAINING_TAG, read_verdicts
from pipelines.windows import with_windows
from pipelines.workspace import Workspace, open_workspace, process_identity

AS_OF_TAG = "retrained_as_of"
BY_HAND = "by hand"

AsOfOption = Annotated[
    str, typer.Option(help="Decide as on this day or time, e.g. 2013-10-01; empty: now.")
]
ForceOption = Annotated[str, typer.Option(help="yes: without a verdict; needs a reason.")]
AcceptOption = Annotated[
    str, typer.Option(help="yes: train on labels that look suspicious; needs a reason.")
]
ReasonOption = Annotated[str, typer.Option(help="Why; stands on the run and the version.")]


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
    use_case: str | UseCase, root: str = "", as_of: datetime | None = None, wish: Wish | None = None
) -> Retrained:
    """Retrain where a verdict or a person calls for it and the labels allow it.

    `as_of` (with its zone) stands for now: later windows, answers and labels are not known then.
    """
    now, wanted = as_of or datetime.now(UTC), wish or Wish()
    try:
        with open_workspace(use_case, root) as workspace:
            return _retrain(workspace, now, wanted)
    except Busy as error:
        return Retrained("BUSY", (str(error),))


def _retrain(workspace: Workspace, now: datetime, wish: Wish) -> Retrained:
    champion = champion_of(workspace)
    if champion is None:
        return Retrained("NOT_NEEDED", ("No version is in Production; main makes the first one.",))
    decision = _called_for(workspace, champion, now, wish)
    if not decision.go:
        return _not_now(workspace, champion, decision)
    lasts = timedelta(hours=workspace.use_case.retraining.max_hours)
    with leased(workspace.tables, process_identity(), lasts):
        return _alone(workspace, now, wish)


def _alone(workspace: Workspace, now: datetime, wish: Wish) -> Retrained:
    """Decide again, since another host may just have done it; then do it."""
    champion = champion_of(workspace)
    if champion is None:
        raise Refused("The champion was taken away meanwhile; nothing was done.")
    decision, seen = _called_for(workspace, champion, now, wish), _seen(workspace, champion)
    if decision.go:
        with working("counting labels"):
            labels = label_figures(workspace.tables, workspace.use_case, seen, now)
        decision = allowed(decision, labels, workspace.use_case, wish)
    if not decision.go:
        return _not_now(workspace, champion, decision)
    return _do(workspace, champion, seen, labels, decision, now)


def _called_for(
    workspace: Workspace, champion: Version, now: datetime, wish: Wish
) -> RetrainDecision:
    verdicts = read_verdicts(workspace, champion, now)
    return called_for(verdicts, _last(workspace), now, workspace.use_case, wish)


def _last(workspace: Workspace) -> datetime | None:
    """When the last retraining was made that came to its end."""
    found = workspace.client.search_runs(
        [workspace.experiment_id],
        "tags.step = 'retrain' and attributes.status = 'FINISHED'",
        max_results=1,
    )
    text = found[0].data.tags.get(AS_OF_TAG, "") if found else ""
    return datetime.fromisoformat(text) if text else None


def _seen(workspace: Workspace, champion: Version) -> Seen:
    """The tables that the champion learned from and was measured on."""

    def of(name: TableName) -> TableVersion:
        tags = champion.tags
        if f"{name}_version" not in tags:
            raise Refused(f"Version {champion.version} does not say which {name} table it is of.")
        version, total = int(tags[f"{name}_version"]), tags[f"{name}_hash"]
        key = workspace.use_case.keys[0]
        rows = workspace.tables.read(name, version, columns=[key]).num_rows
        return TableVersion(name, version, rows, total)

    return Seen(of("training"), of("holdout"))


def _do(
    workspace: Workspace,
    champion: Version,
    seen: Seen,
    labels: Labels,
    decision: RetrainDecision,
    now: datetime,
) -> Retrained:
    cause = decision.cause.run_id if decision.cause else ""
    with step_run(workspace, "retrain") as run:
        because = _because(workspace, decision, labels, now)
        mlflow.set_tags(because)
        _tell(workspace, cause, RETRAINING_TAG, f"begun in run {run.info.run_id}")
        made = training_set(workspace, str(labels.start), str(labels.end), now).result
        outcome = after_ingest(
            moved := _with_holdout(workspace, labels),
            ingest_labelled(moved, made.labelled),
            among=(seen.training, seen.holdout, made.labelled),
            because=because
            | {
                "labelled_version": str(made.labelled.version),
                "labelled_hash": made.labelled.content_hash,
            },
        )
        version, said = outcome.registered.version, " ".join(decision.reasons)
        mlflow.set_tag("mlflow.note.content", "\n\n".join((said, *_lines(outcome))))
        _tell(workspace, cause, RETRAINING_TAG, f"version {version}: {outcome.conclusion}")
        _tell(workspace, cause, CANDIDATE_TAG, version)
    return Retrained(
        decision.state,
        decision.reasons,
        cause,
        champion.version,
        version,
        outcome.gated.passed,
        outcome.conclusion,
        run.info.run_id,
    )


def _because(
    workspace: Workspace, decision: RetrainDecision, labels: Labels, now: datetime
) -> dict[str, str]:
    """Tags of run and version that say why it was made."""
    cause, policy = decision.cause, workspace.use_case.monitoring
    by_verdict = (
        {
            "retrained_because": cause.run_id,
            "retrained_window": cause.window,
            "retrained_signals": ", ".join(calling(cause, policy)),
        }
        if cause
        else {"retrained_because": BY_HAND}
    )
    return {
        **by_verdict,
        WHY_TAG: " ".join(decision.reasons),
        "retrained_labels": f"{labels.start} to {labels.end}",
        AS_OF_TAG: now.isoformat(timespec="seconds"),
    }


def _with_holdout(workspace: Workspace, labels: Labels) -> Workspace:
    """The workspace with the split moved to the window that is held out.

    A split that is not by time needs no moving: every row stays on its side by its key.
    """
    if labels.holdout is None:
        return workspace
    start, end = str(labels.holdout.start), str(labels.holdout.end)
    return replace(workspace, use_case=with_windows(workspace.use_case, "", start, end))


def _lines(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.conclusion, outcome.gated.line(), outcome.evaluated.line()


def _not_now(workspace: Workspace, champion: Version, decision: RetrainDecision) -> Retrained:
    cause = decision.cause.run_id if decision.cause else ""
    _tell(workspace, cause, RETRAINING_TAG, f"{decision.state}: {decision.reasons[-1]}")
    return Retrained(decision.state, decision.reasons, cause, champion.version)


def _tell(workspace: Workspace, run_id: str, tag: str, text: str) -> None:
    """Say on the report that called for it what became of its call."""
    if run_id:
        workspace.client.set_tag(run_id, tag, text)


def read_as_of(text: str, use_case: UseCase) -> datetime | None:
    """A day or time of the use case's zone, unless it names one; BadInput when it is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"as_of: a day or time such as 2013-10-01 is needed, found {text!r}."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(use_case.time_zone))


def read_wish(force: str, accept_labels: str, reason: str) -> Wish:
    """What was asked for by hand; BadInput without a reason."""
    wish = Wish(cli.flag(force), cli.flag(accept_labels), reason)
    if (wish.force or wish.accept_labels) and not reason:
        raise BadInput("force and accept_labels need a reason: -P reason='...'.")
    return wish


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
    """Retrain, if monitoring calls for it; exit code 1: the labels look suspicious."""
    declared = load_use_case(use_case)
    wish = read_wish(force, accept_labels, reason)
    done = retrain(declared, root, read_as_of(as_of, declared), wish)
    if cli.flag(as_json):
        print(json.dumps(asdict(done), indent=2))
    look = {"look at the runs": "make ui"} if done.run_id else {}
    summary(f"{declared.name}: {done.state}", facts(done), look)
    if done.state == "SUSPICIOUS_LABELS":
        console().print("  If they are right: --accept-labels yes --reason '...'", markup=False)
        raise Refused("The labels look suspicious; nothing was trained.")


if __name__ == "__main__":
    cli.run(main)
