"""A file from Parquet to Parquet by the engines of `fourcycle score`: local, and Ray by one core
and by two. What it costs to begin is told apart: a job of a few rows.

Runs where a pipeline of flights has run (`make train`), with Ray beside it, as `make scale` has it.
Each measurement is a process of its own with a cluster of its own; the ways alternate, and medians
are printed as Markdown for docs/benchmarks.md.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.batch import make

FEW = 100
WAYS = {"local, one thread": 0, "Ray, one core": 1, "Ray, two cores": 2}


def seconds(source: Path, target: Path, cores: int, log: str) -> float:
    """Wall seconds of a job, without the imports of its process."""
    command = [sys.executable, "-m", "pipelines.score", "--use-case", "flights", "--json", "yes"]
    command += ["--source", str(source), "--target", str(target), "--log", log]
    command += ["--engine", "ray" if cores else "local"]
    given = {"RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": cores}), "RAY_worker_niceness": "0"}
    environment = os.environ | (given if cores else {})
    target.unlink(missing_ok=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    found: float = json.loads(done.stdout)["seconds"]
    return found


def main(
    rows: Annotated[int, typer.Option(help="Rows of the file.")] = 2_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 3,
) -> None:
    """Measure, and print a Markdown table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder, "many.parquet"), Path(folder, "few.parquet")
        make(rows, many)
        make(FEW, few)
        target = Path(folder, "answers.parquet")
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, cores in WAYS.items():
                begun = seconds(few, target, cores, "no")
                found[name].append((begun, seconds(many, target, cores, "no") - begun))
    typer.echo("| way | begins in s | then s | rows a second | of one core of Ray |")
    typer.echo("|---|---|---|---|---|")
    medians = {
        name: [statistics.median(v) for v in zip(*seen, strict=True)]
        for name, seen in found.items()
    }
    one = medians["Ray, one core"][1]
    for name, (begun, took) in medians.items():
        typer.echo(f"| {name} | {begun:.1f} | {took:.1f} | {rows / took:,.0f} | {one / took:.2f} |")


if __name__ == "__main__":
    typer.run(main)
