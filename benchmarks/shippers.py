"""Many hosts on one table: real shippers, each with a spool of its own, that all commit to it.

Answers are put into the spools at a steady pace, as the workers of so many hosts would. Printed as
Markdown for docs/capacity.md: how long an answer is on its way to the table, how many passes met
another one in vain and were tried again, and whether every row is there once. `--root s3://...`
measures an object store, found by the AWS_* variables.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated

import msgspec
import typer
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from benchmarks.commits import ROWS, USE_CASE, record
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import parse_use_case
from serving.log.record import RecordSchema, encode
from serving.log.segment_frames import FrameKind
from serving.log.spool import Spool, SpoolEntry

BEAT_S = 1.0  # between two answers of a host
PATIENCE_S = 300  # for the last rows, after the load
AGAIN = "to be tried again"  # as a shipper says it


@contextmanager
def shipping(folder: Path, root: str, every_s: float) -> Iterator[Path]:
    """A shipper of a host of its own; its spool."""
    folder.mkdir()
    given = {"FOURCYCLE_LOG_SPOOL": str(folder), "FOURCYCLE_SHIP_EVERY_S": str(every_s)}
    environment = os.environ | given | {"FOURCYCLE_ROOT": root}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.shipper", "--name", "commits"],
            env=environment,
            stderr=log,
        )
        try:
            settings = read_settings(root).model_copy(update={"log_spool": str(folder)})
            yield settings.spool_folder("commits")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def fill(spools: list[Spool], seconds: float) -> int:
    """Put an answer into each spool at each beat; how many rows there were in all."""
    use_case, number = parse_use_case(USE_CASE, "commits.yaml", Path()), 0
    schema = RecordSchema.of(use_case)
    for spool in spools:
        spool.describe(schema.schema_hash, encode(schema))
    until = time.monotonic() + seconds
    while (began := time.monotonic()) < until:
        for spool in spools:
            number += 1
            one = msgspec.structs.replace(record(number, use_case), logged_time=datetime.now(UTC))
            entry = SpoolEntry(FrameKind.PREDICTIONS, one.schema_hash, ROWS, encode(one))
            spool.write([entry], sync=False)
        time.sleep(max(0.0, began + BEAT_S - time.monotonic()))
    return number * ROWS


def ways_to_the_table(tables: Tables) -> list[float]:
    """Seconds from the oldest answer of each commit to that commit."""
    table, found = tables.open("predictions"), list[float]()
    store = PyFileSystem(DeltaStorageHandler.from_table(table._table))
    for version in range(int(table.version()) + 1):
        with store.open_input_stream(f"_delta_log/{version:020d}.json") as log:
            lines = [json.loads(line) for line in log.read().splitlines()]
        told = {name: value for line in lines for name, value in line.items()}
        if told["commitInfo"]["operation"] == "WRITE":
            oldest = json.loads(told["add"]["stats"])["minValues"]["logged_time"]
            at = datetime.fromtimestamp(told["commitInfo"]["timestamp"] / 1000, UTC)
            found.append((at - datetime.fromisoformat(oldest)).total_seconds())
    return found


def main(
    hosts: Annotated[int, typer.Option(help="Shippers, each of a host.")] = 20,
    every: Annotated[float, typer.Option(help="FOURCYCLE_SHIP_EVERY_S.")] = 5.0,
    seconds: Annotated[float, typer.Option(help="How long answers come.")] = 60.0,
    root: Annotated[str, typer.Option(help="An s3:// root; empty: a folder.")] = "",
) -> None:
    """Measure, and print a Markdown table."""
    with tempfile.TemporaryDirectory() as name:
        place, folders = root or f"{name}/data", [Path(name, f"host{i}") for i in range(hosts)]
        with ExitStack() as stack:
            spools = [stack.enter_context(shipping(folder, place, every)) for folder in folders]
            asked = fill([Spool(folder, 1, 60) for folder in spools], seconds)
        tables = Tables(place, "commits")
        (found,) = tables.query(
            "SELECT count(*) AS n, count(DISTINCT prediction_id) AS ids FROM predictions",
            predictions=tables.open("predictions"),
        ).to_pylist()
        again = sum((folder / "log").read_text().count(AGAIN) for folder in folders)
        took = ways_to_the_table(tables)
        slow = quantiles(took, n=20)[-1]
    typer.echo(
        "| hosts | every s | commits | oldest answer, p50 s | p95 s | tried again | rows | found | "
        "twice |\n|---|---|---|---|---|---|---|---|---|"
    )
    typer.echo(
        f"| {hosts} | {every:g} | {len(took)} | {median(took):.1f} | {slow:.1f} "
        f"| {again} | {asked:,} | {found['ids']:,} | {found['n'] - found['ids']} |"
    )
    raise typer.Exit(int(found["ids"] != asked or found["n"] != asked))


if __name__ == "__main__":
    typer.run(main)
