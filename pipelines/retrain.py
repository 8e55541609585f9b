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
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import mlflow

from contract.errors import BadInput, Busy, Refused
from contract.hints import typed
from contract.markdown import plain
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from monitoring.report.publish import link
from pipelines.ingest import ingest_labelled
from pipelines.main import Outcome, after_ingest
from pipelines.registry.versions import Version, champion_of
from pipelines.retraining.candidate import (
    Retrained,
    RetrainRequest,
    champion_tables,
    keeps_parameters,
    origin_tags,
    with_holdout,
    with_parameters,
)
from pipelines.retraining.label_checks import ChampionTables, label_figures
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
    allowed,
    called_for,
)
from pipelines.retraining.verdicts import read_retrain_history, read_windows, tag_report
from pipelines.runtime import cli
from pipelines.runtime.console import summary, working
from pipelines.runtime.lease import leased
from pipelines.runtime.process_identity import process_identity
from pipelines.runtime.step import load_result, step_run
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.training_set import training_set
from tracking.store import connect
from tracking.tags import (
    NOTE_TAG,
    RETRAINED_TUNED_TAG,
    RETRAINED_VERSION_TAG,
    RETRAINING_TAG,
    table_tags,
)


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
    tables = champion_tables(workspace, champion)
    with working("counting labels"):
        labels = label_figures(workspace.tables, workspace.use_case, tables, now)
    decision = allowed(called, labels, workspace.use_case, wish)
    if not decision.go:
        return _not_now(workspace, champion, decision)
    return make_candidate(workspace, champion, tables, RetrainRequest(decision, labels, now))


def make_candidate(
    workspace: Workspace, champion: Version, tables: ChampionTables, request: RetrainRequest
) -> Retrained:
    """Run the pipeline on the extended data, as far as gate and approval let it go.

    The report that called is tagged last: a crash before leaves its call open.
    """
    labels, origin = request.labels, origin_tags(workspace.use_case, request)
    use_case, trained = workspace.use_case, load_result(workspace, TRAIN, champion.train_run)
    if keeps_parameters(use_case, trained, champion.tags):
        use_case = with_parameters(use_case, trained.parameters)
        origin[RETRAINED_TUNED_TAG] = "yes"
    changed = replace(workspace, use_case=with_holdout(use_case, labels))
    with step_run(changed, "retrain") as run:
        run_id = str(run.info.run_id)
        mlflow.set_tags(origin)
        tag_report(workspace, request.cause, **{RETRAINING_TAG: f"begun in run {run_id}"})
        joined = training_set(
            changed, str(labels.start), str(labels.end), request.now, labels.read
        ).result.labelled
        origin |= table_tags("labelled", joined.version, joined.content_hash)
        outcome = after_ingest(
            changed,
            ingest_labelled(changed, joined),
            among=(tables.training, tables.holdout, joined),
            because=origin,
        )
        _describe(workspace, request, outcome)
    return Retrained(
        request.decision.state,
        request.decision.reasons,
        request.cause,
        champion.version,
        outcome.registered.version,
        outcome.gated.passed,
        outcome.conclusion,
        run_id,
    )


def _describe(workspace: Workspace, request: RetrainRequest, outcome: Outcome) -> None:
    """Say on the run, and on the report that called, what was made and why."""
    version = outcome.registered.version
    reasons = plain(" ".join(request.decision.reasons))
    if request.cause:
        experiment_id = workspace.client.get_run(request.cause).info.experiment_id
        reasons += f" [The report]({link(experiment_id, request.cause)})"
    lines = (reasons, plain(outcome.conclusion), plain(outcome.evaluated.line()))
    mlflow.set_tag(NOTE_TAG, "\n\n".join(lines))
    text = f"version {version}: {outcome.conclusion}"
    tag_report(workspace, request.cause, **{RETRAINING_TAG: text, RETRAINED_VERSION_TAG: version})


def _called_for(
    workspace: Workspace, champion: Version, now: datetime, wish: PersonalRequest
) -> RetrainDecision:
    windows = read_windows(workspace, champion, now)
    return called_for(windows, read_retrain_history(workspace), now, workspace.use_case, wish)


def _not_now(workspace: Workspace, champion: Version, decision: RetrainDecision) -> Retrained:
    cause = decision.cause.run_id if decision.cause else ""
    tag_report(workspace, cause, **{RETRAINING_TAG: f"{decision.state}: {decision.reasons[-1]}"})
    return Retrained(decision.state, decision.reasons, cause, champion.version)


def _note_on_launch(done: Retrained, root: str) -> None:
    """Say on the run that `mlflow run` made, and no step has taken, why nothing was done."""
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        why = "\n\n".join((f"## {done.state}", *map(plain, done.reasons)))
        connect(read_settings(root)).set_tag(run_id, NOTE_TAG, why)


def facts(done: Retrained) -> Mapping[str, str]:
    """For people, one line for each thing."""
    named = {
        "called for by": f"run {done.cause}" if done.cause else "",
        "champion before": f"version {done.champion}" if done.champion else "",
        "candidate": f"version {done.version}" if done.version else "",
        "Production": done.conclusion,
    }
    why = {f"why {n}": reason for n, reason in enumerate(done.reasons, 1)}
    return why | {name: text for name, text in named.items() if text}


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
    _note_on_launch(done, root)
    if cli.flag(as_json):
        print(json.dumps(asdict(done), indent=2))
    look = {"look at the runs": typed("ui")} if done.run_id else {}
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
