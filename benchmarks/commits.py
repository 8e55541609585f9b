"""What commits and reads cost after thousands of commits to one table that nobody maintains.

A shipper moves one segment after another into `predictions`, as a service that answers steadily
makes them; all rows are of one day, the worst case for who reads a day. Prints Markdown, for
docs/benchmarks.md. `--root s3://...` measures an object store, found by the AWS_* variables.
`--clock cpu` counts the processor's time, which other work on the machine does not change.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contract.names import TableName
from contract.store.tables import Tables
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema, encode
from serving.log.segment_frames import FrameKind
from serving.log.spool import Spool, SpoolEntry
from serving.shipping.shipper import Shipper

USE_CASE = """
name: commits
title: Commits
task: binary
source: {csv: rows.csv}
keys: [id]
target: kind
positive: b
columns:
  id: {type: integer}
  kind: {type: string}
  size: {type: number}
split: {by: random}
estimator: {path: sklearn.linear_model.LogisticRegression}
evaluation: {metric: roc_auc}
"""
NAME: TableName = "predictions"
ROWS = 20  # of a commit
AT_ONCE = 50  # commits whose median is one figure
READS = 9
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


def record(number: int, use_case: UseCase) -> PredictionRecord:
    """An answer of some rows."""
    return PredictionRecord(
        request_id=f"01890000-0000-7000-8000-{number:012d}",
        model=use_case.name,
        version="1",
        schema_hash=RecordSchema.of(use_case).schema_hash,
        features={"size": [float(number)] * ROWS},
        keys={"id": list(range(ROWS))},
        event_time=[None] * ROWS,
        prediction=["a"] * ROWS,
        probability=[[0.8, 0.2]] * ROWS,
        flags=[[]] * ROWS,
        latency_ms=0.3,
        logged_time=datetime.now(UTC),
        key_id=None,
    )


def commits(folder: Path, tables: Tables, use_case: UseCase, clock: Clock) -> Iterator[float]:
    """Seconds of one commit after another."""
    spool = Spool(folder, 1, 60)  # a segment for each record
    schema = RecordSchema.of(use_case)
    spool.describe(schema.schema_hash, encode(schema))
    shipper = Shipper(folder, tables)
    number = 0
    while True:
        number += 1
        one = record(number, use_case)
        entry = SpoolEntry(FrameKind.PREDICTIONS, one.schema_hash, ROWS, encode(one))
        spool.write([entry], sync=False)
        started = clock()
        if shipper.ship() != 1:
            raise SystemExit("a commit brought another number of segments than one")
        yield clock() - started


def seconds(read: Callable[[], object], clock: Clock) -> float:
    """The median of some reads."""
    found = []
    for _ in range(READS):
        started = clock()
        read()
        found.append(clock() - started)
    return statistics.median(found)


def reads(tables: Tables, clock: Clock) -> list[float]:
    """Seconds to open the table, ask for its version, and read the ids of the day."""
    day = f"event_date = DATE '{datetime.now(UTC).date()}'"
    return [
        seconds(lambda: tables.open(NAME), clock),
        seconds(lambda: tables.version(NAME), clock),
        seconds(lambda: tables.read(NAME, columns=["prediction_id"], where=day), clock),
    ]


def main(
    count: Annotated[int, typer.Option(help="Commits in all.")] = 3_000,
    every: Annotated[int, typer.Option(help="Commits between two measurements.")] = 500,
    clock: Annotated[str, typer.Option(help="wall or cpu.")] = "wall",
    root: Annotated[str, typer.Option(help="An s3:// root; empty: a folder.")] = "",
) -> None:
    """Measure, and print a Markdown table in milliseconds."""
    measured = CLOCKS[clock]
    use_case = parse_use_case(USE_CASE, "commits.yaml", Path())
    with tempfile.TemporaryDirectory() as name:
        tables = Tables(root or f"{name}/data", use_case.name)
        took: list[float] = []
        typer.echo("| commits | commit | slowest commit | open | version | read a day |")
        typer.echo("|---|---|---|---|---|---|")
        for spent in commits(Path(name) / "spool", tables, use_case, measured):
            took.append(spent)
            if len(took) == AT_ONCE or len(took) % every == 0:
                last = took[-every:] if len(took) > AT_ONCE else took
                figures = [statistics.median(took[-AT_ONCE:]), max(last), *reads(tables, measured)]
                cells = " | ".join(f"{1000 * figure:,.0f}" for figure in figures)
                typer.echo(f"| {len(took):,} | {cells} |")
            if len(took) == count:
                break


if __name__ == "__main__":
    typer.run(main)
