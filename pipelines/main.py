"""The pipeline: ingest to promote, in one process, as nested runs under one parent."""

import json
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mlflow
from rich.markup import escape

from contract.addresses import without_password
from contract.markdown import plain
from contract.names import experiment
from contract.store.tables import TableVersion
from contract.use_case.loader import load_use_case
from pipelines.check import check_first
from pipelines.data.days import HoldoutUntilOption, TrainFromOption, TrainUntilOption, with_windows
from pipelines.data.rehearsal import Rehearsal, RowsMultipleOption, SampleOption, read_rehearsal
from pipelines.data.validated import Validated
from pipelines.evaluate import evaluate
from pipelines.gate import AllowBreakingOption, Gated, gate
from pipelines.ingest import Ingested, ingest
from pipelines.model.results import Evaluated
from pipelines.package import package
from pipelines.promote import conclude
from pipelines.register import Registered, register
from pipelines.registry.versions import Version
from pipelines.runtime import cli
from pipelines.runtime.child_process import GATE_REFUSED
from pipelines.runtime.console import console, count, summary
from pipelines.runtime.step import Done, step_run
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.scheduling.overview.publish import log as log_overview
from pipelines.split import split
from pipelines.train import TuneOption, read_tune, train
from pipelines.validate import validate
from tracking.tags import GATE_TAG, NOTE_TAG, VERSION_TAG


@dataclass(frozen=True)
class Outcome:
    """What one pipeline did, step by step."""

    ingested: Ingested
    validated: Validated
    evaluated: Evaluated
    registered: Registered
    gated: Gated
    conclusion: str
    seconds: dict[str, float]
    reused: tuple[str, ...]


def pipeline(
    workspace: Workspace, rehearsal: Rehearsal, tune: int, allow_breaking: bool = False
) -> Outcome:
    """All steps in order; every one is a child of the pipeline's own run."""
    with step_run(workspace, "main"):
        return after_ingest(workspace, ingest(workspace, rehearsal), tune, allow_breaking)


def after_ingest(
    workspace: Workspace,
    ingested: Done[Ingested],
    tune: int = 0,
    allow_breaking: bool = False,
    among: Sequence[TableVersion] = (),
    because: Mapping[str, str] | None = None,
) -> Outcome:
    """The steps from validation to promotion, logged on the active run.

    `among` are the tables whose keys may take part, all where there is none; `because` are tags
    that say on the version why it was made.
    """
    done: dict[str, Done[Any]] = {"ingest": ingested}
    validated = done["validate"] = validate(workspace, ingested.result)
    divided = done["split"] = split(workspace, validated.result, among)
    trained = done["train"] = train(workspace, divided.result, tune)
    evaluated = done["evaluate"] = evaluate(workspace, trained.result)
    packaged = done["package"] = package(workspace, trained.result)
    registered = done["register"] = register(
        workspace, validated.result, trained.result, evaluated.result, packaged.result, because
    )
    version = Version.read(workspace, registered.result.version)
    gated = done["gate"] = gate(workspace, version, allow_breaking, reuse=True)
    concluded = conclude(workspace, version, gated.result)
    if concluded.promoted:
        done["promote"] = concluded.promoted
    outcome = Outcome(
        ingested=ingested.result,
        validated=validated.result,
        evaluated=evaluated.result,
        registered=registered.result,
        gated=gated.result,
        conclusion=concluded.sentence,
        seconds={name: step.seconds for name, step in done.items()},
        reused=tuple(name for name, step in done.items() if step.reused),
    )
    _log(outcome)
    return outcome


def _log(outcome: Outcome) -> None:
    mlflow.log_metrics({f"seconds/{name}": value for name, value in outcome.seconds.items()})
    figures = outcome.evaluated.figures
    mlflow.log_metrics({f"holdout/{name}": figure.value for name, figure in figures.items()})
    mlflow.set_tags({VERSION_TAG: outcome.registered.version, GATE_TAG: str(outcome.gated.passed)})
    note = "\n\n".join(
        map(plain, (outcome.conclusion, outcome.gated.line(), outcome.evaluated.line()))
    )
    mlflow.set_tag(NOTE_TAG, note)


def as_document(outcome: Outcome) -> dict[str, object]:
    """For programs: what came in, what was made of it, and what was decided."""
    ingested, validated = outcome.ingested, outcome.validated
    return {
        "state": "DONE" if outcome.gated.passed else GATE_REFUSED,
        "version": outcome.registered.version,
        "new": outcome.registered.new,
        "conclusion": outcome.conclusion,
        "gate": list(outcome.gated.reasons),
        "rows_read": ingested.rows_read,
        "rows_new": ingested.rows_new,
        "rows_repeated": ingested.rows_repeated,
        "rows_quarantined": validated.rows_quarantined,
        "raw_version": validated.raw.version,
        "seconds": outcome.seconds,
        "reused": list(outcome.reused),
    }


def report(workspace: Workspace, outcome: Outcome, seconds: float) -> None:
    """The end of the pipeline for a person."""
    version = Version.read(workspace, outcome.registered.version)
    slowest = max(outcome.seconds, key=lambda name: outcome.seconds[name])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    facts = {
        "rows read": f"{count(outcome.ingested.rows_read)}, {count(outcome.ingested.rows_new)} new",
        "rows quarantined": f"{count(outcome.validated.quarantine.rows)} of "
        f"{count(outcome.validated.raw.rows)}",
        "expectations": outcome.validated.line(),
        "holdout": outcome.evaluated.line(),
        "version": f"{version.version} of {workspace.model_name}, stage {version.stage}"
        + ("" if outcome.registered.new else " (nothing new was registered)"),
        "gate": outcome.gated.line(),
        "Production": outcome.conclusion,
        "reused": ", ".join(outcome.reused) or "nothing",
        "took": f"{seconds:.1f} s, of which {slowest} {outcome.seconds[slowest]:.1f} s; "
        f"peak memory {peak:.2f} GiB",
    }
    where = experiment(workspace.use_case.name, "training")
    summary(
        f"{workspace.use_case.title}",
        facts,
        {f"compare runs in experiment {where}": "make ui", "answer over HTTP": "make serve"},
    )


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    sample: SampleOption = "",
    rows_multiple: RowsMultipleOption = "",
    train_from: TrainFromOption = "",
    train_until: TrainUntilOption = "",
    holdout_until: HoldoutUntilOption = "",
    tune: TuneOption = "0",
    allow_breaking: AllowBreakingOption = "",
    as_json: cli.JsonOption = "",
) -> None:
    """Main: the whole pipeline, from the source to a gated and promoted version."""
    started = time.monotonic()
    rehearsal = read_rehearsal(sample, rows_multiple)
    declared = with_windows(load_use_case(use_case), train_from, train_until, holdout_until)
    declared = rehearsal.of(declared)
    trials, allowed = read_tune(tune), cli.flag(allow_breaking)
    wants_json = cli.flag(as_json)
    check_first(declared, root)
    with open_workspace(declared, root) as workspace:
        console().print(
            f"[bold]{escape(declared.title)}[/bold] · "
            f"{without_password(workspace.settings.tracking_uri)}"
        )
        outcome = pipeline(workspace, rehearsal, trials, allowed)
        report(workspace, outcome, time.monotonic() - started)
        log_overview(workspace.settings, workspace.client, workspace.use_case.name)
        if wants_json:
            print(json.dumps(as_document(outcome), indent=2))


if __name__ == "__main__":
    cli.run(main)
