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
from contract.hints import typed
from contract.markdown import link, plain
from contract.names import PRODUCTION, experiment
from contract.store.tables import TableVersion
from contract.use_case.loader import load_use_case
from pipelines.check import check_first
from pipelines.data.days import HoldoutUntilOption, TrainFromOption, TrainUntilOption, with_windows
from pipelines.data.rehearsal import Rehearsal, RowsMultipleOption, SampleOption, read_rehearsal
from pipelines.data.validated import Validated
from pipelines.evaluate import evaluate
from pipelines.gate import AllowBreakingOption, Gated, gate
from pipelines.ingest import Ingested, ingest
from pipelines.model.results import Evaluated, Trained
from pipelines.package import Packaged, package
from pipelines.promote import conclude
from pipelines.register import Registered, register
from pipelines.registry.versions import Version
from pipelines.runtime import cli
from pipelines.runtime.child_process import GATE_REFUSED
from pipelines.runtime.console import console, count, summary
from pipelines.runtime.plot_address import errors_plot
from pipelines.runtime.run_inputs import log_input, log_model_of
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
    evaluate_run: str
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


@dataclass(frozen=True)
class Candidate:
    """What the model cycle made: a measured package that no registry knows yet."""

    validated: Validated
    trained: Trained
    evaluated: Evaluated
    packaged: Packaged
    done: dict[str, Done[Any]]


def make_candidate(
    workspace: Workspace,
    ingested: Done[Ingested],
    tune: int = 0,
    among: Sequence[TableVersion] = (),
) -> Candidate:
    """The steps from validation to packaging."""
    validated = validate(workspace, ingested.result)
    divided = split(workspace, validated.result, among)
    trained = train(workspace, divided.result, tune)
    evaluated = evaluate(workspace, trained.result)
    packaged = package(workspace, trained.result)
    return Candidate(
        validated.result,
        trained.result,
        evaluated.result,
        packaged.result,
        {
            "ingest": ingested,
            "validate": validated,
            "split": divided,
            "train": trained,
            "evaluate": evaluated,
            "package": packaged,
        },
    )


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
    candidate = make_candidate(workspace, ingested, tune, among)
    done, validated, evaluated = candidate.done, candidate.validated, candidate.evaluated
    registered = done["register"] = register(
        workspace, validated, candidate.trained, evaluated, candidate.packaged, because
    )
    version = Version.read(workspace, registered.result.version)
    gated = done["gate"] = gate(workspace, version, allow_breaking, reuse=True)
    concluded = conclude(workspace, version, gated.result)
    if concluded.promoted:
        done["promote"] = concluded.promoted
    outcome = Outcome(
        ingested=ingested.result,
        validated=validated,
        evaluated=evaluated,
        evaluate_run=done["evaluate"].run_id,
        registered=registered.result,
        gated=gated.result,
        conclusion=concluded.sentence,
        seconds={name: step.seconds for name, step in done.items()},
        reused=tuple(name for name, step in done.items() if step.reused),
    )
    _log(workspace, outcome, candidate.trained)
    return outcome


def _log(workspace: Workspace, outcome: Outcome, trained: Trained) -> None:
    """What a person looks for on the run of the whole pipeline: data, figures, model, decision."""
    figures = outcome.evaluated.figures
    mlflow.log_metrics({f"holdout/{name}": figure.value for name, figure in figures.items()})
    mlflow.log_metrics({f"seconds/{name}": value for name, value in outcome.seconds.items()})
    for table in (trained.training, trained.holdout):
        log_input(workspace.tables, table, table.table)
    if run := mlflow.active_run():
        log_model_of(workspace.client, run.info.run_id, trained.model_uri)
    mlflow.set_tags({VERSION_TAG: outcome.registered.version, GATE_TAG: str(outcome.gated.passed)})
    version = outcome.registered.version
    card = link(f"version {version}", f"models/{workspace.model_name}/versions/{version}")
    sentences = (outcome.conclusion, outcome.gated.line(), outcome.evaluated.line())
    mlflow.set_tag(NOTE_TAG, "\n\n".join([*map(plain, sentences), f"Its card: {card}."]))


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


def report(
    workspace: Workspace, outcome: Outcome, seconds: float, use_case: str, rehearsed: bool
) -> None:
    """The end of the pipeline for a person. `use_case` is how it was named."""
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
    facts |= errors_plot(
        workspace.use_case, workspace.settings, workspace.experiment_id, outcome.evaluate_run
    )
    look = {f"compare runs in experiment {where}": typed("ui")}
    if rehearsed:
        look["the same with all rows"] = typed("main", use_case)
    elif version.stage == PRODUCTION:
        look["answer over HTTP"] = typed("serve", use_case)
    summary(f"{workspace.use_case.title}", facts, look)


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
        took = time.monotonic() - started
        report(workspace, outcome, took, use_case, rehearsal != Rehearsal())
        log_overview(workspace.settings, workspace.client, workspace.use_case.name)
        if wants_json:
            print(json.dumps(as_document(outcome), indent=2))


if __name__ == "__main__":
    cli.run(main)
