"""A Parquet file into a folder of them by the engines of `fourcycle score`: local, and Ray by one
core and by two. Workers write files of a folder as they stay; one file would be put together by who
asks, alone. What it costs to begin is told apart: a job of a few rows.

Runs where a pipeline of flights has run (`make train`), with Ray beside it, as `make scale` has it.
Each measurement is a process of its own with a cluster of its own; the ways alternate, and medians
are printed as Markdown for docs/capacity.md. Processor time tells on a busy machine, too, what
bounds it: workers share their part, the driver's is one core's.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import psutil
import typer

from benchmarks.batch import make

FEW, GROUP_ROWS = 100, 100_000
WAYS = {"local, one thread": 0, "Ray, one core": 1, "Ray, two cores": 2}
LOOK_S = 0.1
Spent = tuple[float, float, float]  # seconds of the job; CPU seconds of the driver, of workers


def spent(source: Path, cores: int) -> Spent:
    """What a job takes: seconds without the imports of its process, CPU seconds with them."""
    target = tempfile.mkdtemp(dir=source.parent) + "/answers/"
    command = [sys.executable, "-m", "pipelines.score", "--use-case", "flights", "--json", "yes"]
    command += ["--source", str(source), "--target", target, "--log", "no"]
    command += ["--engine", "ray" if cores else "local"]
    given = {"RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": cores}), "RAY_worker_niceness": "0"}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, env=os.environ | (given if cores else {}), stdout=said, stderr=sys.stderr
        )
        driver, cpu = psutil.Process(process.pid), dict[int, float]()
        while process.poll() is None:
            for one in (driver, *driver.children(recursive=True)):
                cpu.update(_used(one, one is driver))
            time.sleep(LOOK_S)
        if process.returncode:
            raise SystemExit(process.returncode)
        said.seek(0)
        seconds: float = json.load(said)["seconds"]
    first = cpu.pop(process.pid)
    return seconds, first, sum(cpu.values())


def _used(process: psutil.Process, driver: bool) -> dict[int, float]:
    """CPU seconds of the driver or of a worker by its id; nothing of Ray's other processes."""
    try:
        name = " ".join(process.cmdline())
        if driver or name.startswith(("ray::_run", "ray::IDLE")):
            times = process.cpu_times()
            return {process.pid: times.user + times.system}
    except psutil.Error:
        pass  # it has ended; what was seen last counts
    return {}


def main(
    rows: Annotated[int, typer.Option(help="Rows of the file.")] = 2_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 3,
) -> None:
    """Measure, and print a Markdown table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder, "many.parquet"), Path(folder, "few.parquet")
        make(rows, many, GROUP_ROWS)
        make(FEW, few)
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in WAYS}
        for _ in range(rounds):
            for name, cores in WAYS.items():
                begun, took = spent(few, cores), spent(many, cores)
                net = (after - before for before, after in zip(begun, took, strict=True))
                found[name].append((begun[0], *net))
    typer.echo(
        "| way | begins in s | then s | of one core | driver, µs a row | workers, µs a row |"
    )
    typer.echo("|---|---|---|---|---|---|")
    medians = {n: [statistics.median(v) for v in zip(*s, strict=True)] for n, s in found.items()}
    one = medians["Ray, one core"][1]
    for name, (begun, took, driver, workers) in medians.items():
        each = f"{driver / rows * 1e6:.1f} | {workers / rows * 1e6:.1f}"
        typer.echo(f"| {name} | {begun:.1f} | {took:.1f} | {one / took:.2f} | {each} |")


if __name__ == "__main__":
    typer.run(main)
