"""Score: answer a whole table or file with a registered version, by the service's own scorer."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import mlflow
import typer

from contract.errors import BadInput
from contract.settings import read_settings
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.pseudonymisation import Pseudonymiser
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version, champion_of
from pipelines.runtime import cli
from pipelines.runtime.console import count, summary
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, connected
from pipelines.scoring.engines.registry import ENGINES
from pipelines.scoring.job import TargetStates, job_id
from pipelines.scoring.places import place_of_rows
from pipelines.scoring.rows import OpenedRows, open_rows
from pipelines.scoring.targets import address_of, target_of
from pipelines.scoring.work import BatchJob, finish
from serving.scoring.version import ServedVersion, check_golden, load_version
from tracking.tags import VERSION_TAG

BadRows = Literal["stop", "quarantine"]
BAD_ROWS: tuple[BadRows, ...] = ("stop", "quarantine")

SourceOption = Annotated[
    str,
    typer.Option(
        help="A table (raw, holdout, ...), a .csv, .parquet or .jsonl file, a folder of them or a "
        "Delta table; empty: what batch declares."
    ),
]
SourceVersionOption = Annotated[
    str, typer.Option(help="Version of the table that is read; empty: the newest.")
]
TargetOption = Annotated[
    str,
    typer.Option(
        help="The .csv or .parquet file, the folder (answers/) or the Delta table to write; empty: "
        "what batch declares."
    ),
]
OutputOption = Annotated[str, typer.Option(help="The same as target.")]
VersionOption = Annotated[str, typer.Option(help="Version number; empty: the champion.")]
LogOption = Annotated[
    str,
    typer.Option(
        help="yes: the answers enter the table predictions; empty: yes where batch is declared."
    ),
]
BadRowsOption = Annotated[
    str,
    typer.Option(
        help="What a row that does not fit does: stop the job, or go to quarantine beside the "
        "target; empty: what batch declares, else stop."
    ),
]
ThreadsOption = Annotated[str, typer.Option(help="Threads that score, each on a core.")]
EngineOption = Annotated[
    str,
    typer.Option(
        help="local, on this machine, or ray, on the cluster that RAY_ADDRESS names, else on one "
        "of this machine alone."
    ),
]


class ScoredRows(Result):
    """What was answered, by which version, and where it stands."""

    version: str
    digest: str
    job: str
    source: str
    target: str
    rows: int
    quarantined: int
    logged: int  # rows that came into predictions now
    again: bool  # the same job had been done before: nothing changed
    seconds: float
    flags: dict[str, int]  # how many rows hold an unseen category or a value out of range

    def line(self) -> str:
        if self.again:
            return f"{self.target} holds the answers of version {self.version}: nothing changed"
        return f"{count(self.rows)} rows by version {self.version} → {self.target}"


STEP = Step("score", ScoredRows, cached=False)


@dataclass(frozen=True)
class ScoreOptions:
    """What a job is asked to do beside its source."""

    target: str
    log: bool
    bad_rows: BadRows

    @classmethod
    def of(
        cls, use_case: UseCase, target: str, log: bool | None, bad_rows: BadRows | None
    ) -> "ScoreOptions":
        """What is not given is as the use case's `batch` says, which also logs."""
        declared = use_case.batch
        return cls(
            target or (declared.target if declared else ""),
            declared is not None if log is None else log,
            bad_rows or (declared.bad_rows if declared else "stop"),
        )


def score(
    workspace: Workspace,
    source: str = "",
    target: str = "",
    version: str = "",
    source_version: str = "",
    log: bool | None = None,
    bad_rows: BadRows | None = None,
    threads: int = 1,
    engine: str = "local",
) -> Done[ScoredRows]:
    """Answer every row of a source, once, as docs/batch.md says; a row that does not fit stops it,
    or is set apart. More threads or another engine (a key of ENGINES) answer the same, sooner."""
    options = ScoreOptions.of(workspace.use_case, target, log, bad_rows)
    given = {"source": source, **asdict(options)}

    def work() -> ScoredRows:
        address = address_of(options.target)
        place = place_of_rows(source, source_version, workspace.use_case)
        with TemporaryDirectory() as name:
            served, package = _load(workspace, version, Path(name))
            at = int(source_version) if source_version else None
            rows = open_rows(place, served.use_case, workspace.tables, at)
            job = _job(workspace, served, rows, address, options)
            by = replace(job, threads=threads, engine=ENGINES[engine], package=package)
            return _score(workspace, by)

    return execute(workspace, STEP, work, parameters=given)


def _job(
    workspace: Workspace,
    served: ServedVersion,
    rows: OpenedRows,
    address: str,
    options: ScoreOptions,
) -> BatchJob:
    job = job_id(served.name, served.version, served.digest, f"{rows.title} {rows.version}")
    secret = workspace.settings.log_secret.get_secret_value()
    return BatchJob(
        id=job,
        served=served,
        source=rows,
        target=target_of(address, job),
        tables=workspace.tables,
        hidden=Pseudonymiser.of(served.use_case, secret) if options.log else None,
        set_apart=options.bad_rows == "quarantine",
        code=workspace.code_folder,
    )


def _score(workspace: Workspace, job: BatchJob) -> ScoredRows:
    started, served = time.monotonic(), job.served
    states = TargetStates.of(workspace.settings, workspace.use_case.name, job.target.address)
    done = finish(job, states)
    seconds = time.monotonic() - started
    mlflow.log_metrics({"rows": done.state.rows, "seconds": seconds, "logged": done.logged})
    return ScoredRows(
        version=served.version,
        digest=served.digest,
        job=job.id,
        source=job.source.title,
        target=job.target.address,
        rows=done.state.rows,
        quarantined=done.state.quarantined,
        logged=done.logged,
        again=done.again,
        seconds=seconds,
        flags=done.state.flags,
    )


def _load(workspace: Workspace, version: str, folder: Path) -> tuple[ServedVersion, Path]:
    """The version, fetched into the folder, verified and checked the way the service does."""
    asked = Version.read(workspace, version) if version else champion_of(workspace)
    if asked is None:
        raise BadInput(f"{workspace.model_name!r} has no champion; name a version.")
    mlflow.set_tag(VERSION_TAG, asked.version)
    fetched = fetch(asked, folder)
    served = load_version(fetched, workspace.model_name, asked.version, code=workspace.code_folder)
    check_golden(served)
    return served, fetched


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    source: SourceOption = "",
    source_version: SourceVersionOption = "",
    target: TargetOption = "",
    output: OutputOption = "",
    version: VersionOption = "",
    log: LogOption = "",
    bad_rows: BadRowsOption = "",
    threads: ThreadsOption = "1",
    engine: EngineOption = "local",
    as_json: cli.JsonOption = "",
) -> None:
    """Score: answer every row of a table or file with a version, the champion by default."""
    if target and output and target != output:
        raise BadInput(f"output is the same as target; found both, {output!r} and {target!r}.")
    kinds: dict[str, BadRows] = {word: word for word in BAD_ROWS}
    if bad_rows and bad_rows not in kinds:
        raise BadInput(f"bad_rows: stop or quarantine is needed, found {bad_rows!r}.")
    if not threads.isdecimal() or int(threads) < 1:
        raise BadInput(f"threads: a whole number from 1 is needed, found {threads!r}.")
    if engine not in ENGINES:
        raise BadInput(f"engine: {' or '.join(ENGINES)} is needed, found {engine!r}.")
    workspace = connected(load_use_case(use_case), read_settings(root), "monitoring")
    logs = cli.flag(log) if log else None
    to, bad = target or output, kinds.get(bad_rows)
    n_threads = int(threads)
    done = score(
        workspace, source, to, version, source_version, logs, bad, n_threads, engine
    ).result
    if cli.flag(as_json):
        print(json.dumps(done.model_dump(), indent=2))
    summary("Scored before; nothing changed" if done.again else "Scored", _facts(done), {})


def _facts(done: ScoredRows) -> dict[str, str]:
    speed = f"{count(done.rows)}, {count(done.rows / max(done.seconds, 1e-9))} a second"
    facts = {
        **({} if done.again else {"rows": speed}),
        "version": f"{done.version}, package {done.digest[:12]}",
        "job": done.job,
        "written": done.target,
    }
    if done.logged:
        facts["logged"] = f"{count(done.logged)} answers are in predictions now"
    if done.quarantined:
        facts["quarantined"] = f"{count(done.quarantined)} rows do not fit, set apart beside it"
    if done.flags:
        facts["unusual"] = ", ".join(f"{name} {count(n)}" for name, n in done.flags.items())
    return facts


if __name__ == "__main__":
    cli.run(main)
