"""Score: answer a whole table or file with a registered version, by the service's own scorer."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import mlflow
import pyarrow as pa
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from contract.errors import BadInput, Refused
from contract.settings import read_settings
from contract.store.schema import TYPES, check_names
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.data.file_batches import Batches, check_output, open_batches, open_output
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version, champion_of
from pipelines.runtime import cli
from pipelines.runtime.console import console, count, summary
from pipelines.runtime.step import Done, Result, Step, execute
from pipelines.runtime.workspace import Workspace, connected
from serving.requests.columns import CheckedColumns, SentColumns, check
from serving.requests.errors import Problem
from serving.scoring.scorer import Predictions
from serving.scoring.version import ServedVersion, check_golden, load_version
from tracking.tags import VERSION_TAG

SourceOption = Annotated[str, typer.Option(help="A table (raw, holdout, ...), .csv or .parquet.")]
OutputOption = Annotated[str, typer.Option(help="The .csv or .parquet file to write.")]
VersionOption = Annotated[str, typer.Option(help="Version number; empty: the champion.")]


class ScoredRows(Result):
    """What was answered, by which version, and where it stands."""

    version: str
    digest: str
    output: str
    rows: int
    seconds: float
    flags: dict[str, int]  # how many rows hold an unseen category or a value out of range

    def line(self) -> str:
        return f"{count(self.rows)} rows by version {self.version} → {self.output}"


STEP = Step("score", ScoredRows, cached=False)


def score(workspace: Workspace, source: str, output: str, version: str = "") -> Done[ScoredRows]:
    """Score every row of a source; one that does not fit stops it, and nothing is written."""
    given = {"source": source, "output": output}
    return execute(
        workspace, STEP, lambda: _score(workspace, source, output, version), parameters=given
    )


def _score(workspace: Workspace, source: str, output: str, version: str) -> ScoredRows:
    check_output(output)
    asked = Version.read(workspace, version) if version else champion_of(workspace)
    if asked is None:
        raise BadInput(f"{workspace.model_name!r} has no champion; name a version.")
    mlflow.set_tag(VERSION_TAG, asked.version)
    served = _load(workspace, asked)
    started = time.monotonic()
    rows, flags = _answer(served, open_batches(source, served.use_case, workspace.tables), output)
    seconds = time.monotonic() - started
    mlflow.log_metrics({"rows": rows, "seconds": seconds})
    return ScoredRows(
        version=asked.version,
        digest=served.digest,
        output=str(Path(output).expanduser().resolve()),
        rows=rows,
        seconds=seconds,
        flags=dict(flags),
    )


def _load(workspace: Workspace, version: Version) -> ServedVersion:
    """The version, verified and checked the way the service does."""
    with TemporaryDirectory() as name:
        folder = fetch(version, Path(name))
        served = load_version(
            folder, workspace.model_name, version.version, code=workspace.code_folder
        )
    check_golden(served)
    return served


def _answer(served: ServedVersion, source: Batches, output: str) -> tuple[int, Counter[str]]:
    schema = output_schema(served.use_case, served.scorer.classes)
    rows, flags = 0, Counter[str]()
    columns = (TextColumn("  scoring"), BarColumn(), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeRemainingColumn(), console=console()) as progress:
        bar = progress.add_task("scoring", total=source.rows)
        with open_output(output, schema) as writer:
            for batch in _read(source):
                checked = _check(batch, served.use_case, rows)
                answers = served.scorer.score(checked.features)
                writer.write_table(_table(checked, answers, schema, served.use_case))
                rows += batch.num_rows
                flags.update(flag for row in checked.flags for flag in row)
                progress.update(bar, completed=rows)
    return rows, flags


def _read(source: Batches) -> Iterator[pa.RecordBatch]:
    try:
        yield from (batch for batch in source.batches if batch.num_rows)
    except pa.ArrowInvalid as error:
        raise Refused(f"source: a row can't be read: {error}") from error


def _check(batch: pa.RecordBatch, use_case: UseCase, before: int) -> CheckedColumns:
    """The cells as the service checks them; Refused names the row as counted from the first."""
    check_names(batch.schema.names, use_case.columns)
    row_names = (*use_case.keys, *filter(None, (use_case.event_time,)))
    asked = dict.fromkeys((*use_case.inputs, *row_names))
    names = [name for name in asked if name in batch.schema.names]
    columns = {name: batch.column(name).to_pylist() for name in names}
    try:
        return check(SentColumns(columns, batch.num_rows), use_case)
    except Problem as problem:
        raise Refused(f"source: {problem} Rows are counted from row {before:,}.") from None


def output_schema(use_case: UseCase, classes: tuple[Any, ...]) -> pa.Schema:
    """Keys and event time of the row, then the answer; flags are joined by spaces."""
    names = [*use_case.keys, *filter(None, (use_case.event_time,))]
    chances = [f"probability_{name}" for name in classes]
    if twice := sorted({*names}.intersection(chances)):
        raise Refused(
            f"{', '.join(twice)} is a key or the event time, and a column of the output as well; "
            "another name in the use case is needed."
        )
    return pa.schema(
        [
            *((name, TYPES[use_case.columns[name].type]) for name in names),
            ("prediction", TYPES[use_case.answer_type]),
            *((name, pa.float64()) for name in chances),
            ("flags", pa.string()),
        ]
    )


def _table(
    checked: CheckedColumns, answers: Predictions, schema: pa.Schema, use_case: UseCase
) -> pa.Table:
    columns: list[Any] = [checked.keys[key] for key in use_case.keys]
    if use_case.event_time:
        columns.append(checked.event_time)
    columns.append(answers.prediction)
    columns += [list(column) for column in zip(*(answers.probability or []), strict=True)]
    columns.append([" ".join(flags) for flags in checked.flags])
    arrays = [pa.array(c, type=field.type) for c, field in zip(columns, schema, strict=True)]
    return pa.table(arrays, schema=schema)


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    source: SourceOption = "",
    output: OutputOption = "",
    version: VersionOption = "",
) -> None:
    """Score: answer every row of a table or file with a version, the champion by default."""
    workspace = connected(load_use_case(use_case), read_settings(root), "monitoring")
    done = score(workspace, source, output, version).result
    facts = {
        "rows": f"{count(done.rows)}, {count(done.rows / max(done.seconds, 1e-9))} a second",
        "version": f"{done.version} of {workspace.model_name}, package {done.digest[:12]}",
        "written": done.output,
    }
    if done.flags:
        facts["unusual"] = ", ".join(f"{name} {count(n)}" for name, n in done.flags.items())
    summary("Scored", facts, {})


if __name__ == "__main__":
    cli.run(main)
