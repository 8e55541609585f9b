"""Time and memory of the pipeline, step by step, and training beside the bare scikit-learn fit.

Every measurement is a process of its own in a folder of its own; medians of interleaved rounds.
Prints Markdown, for docs/benchmarks.md.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

PROJECT = Path(__file__).resolve().parent.parent

BARE_FIT = """
import json, time
from contract.store.frames import feature_frame
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import labels
use_case = load_use_case("flights")
rows = Tables("data", "flights").read("training", order_by=["scheduled_departure", "flight_id"])
features, target = feature_frame(rows, use_case), labels(rows, use_case)
started = time.perf_counter()
fit_pipeline(use_case, dict(use_case.estimator.parameters), features, target)
print(json.dumps(time.perf_counter() - started))
"""

STEPS = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient("sqlite:///mlflow.db")
names = [e.experiment_id for e in client.search_experiments() if e.name.endswith("/training")]
run = client.search_runs(names, "tags.step = 'main'", max_results=1)[0]
print(json.dumps({k: v for k, v in run.data.metrics.items() if k.startswith("seconds/")}))
"""


def command(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Run our Python in a folder: wall seconds, peak memory in GiB, standard output."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "FOURCYCLE_"))
    }
    environment |= {"PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    out, err = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)[:80]} failed:\n{err[-2000:]}")
    found = re.search(r"peak memory ([\d.]+) GiB", err)
    return seconds, float(found.group(1)) if found else float("nan"), out


def steps(folder: Path) -> dict[str, float]:
    """Seconds of each step of the newest pipeline."""
    _, _, out = command(folder, "-c", STEPS)
    return {name.removeprefix("seconds/"): value for name, value in json.loads(out).items()}


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 3,
    multiples: Annotated[str, typer.Option(help="Values of rows_multiple.")] = "1,2,5,10",
) -> None:
    """Measure, and print Markdown tables."""
    first, second, fits, trains = [], [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            first.append(command(folder, "-m", "pipelines.main")[:2])
            timed = steps(folder)
            trains.append(timed["train"])
            fits.append(float(command(folder, "-c", BARE_FIT)[2]))
            second.append(command(folder, "-m", "pipelines.main")[:2])
    typer.echo("| measured | median |\n|---|---|")
    typer.echo(f"| `main`, nothing cached | {statistics.median(s for s, _ in first):.1f} s |")
    typer.echo(f"| `main`, all cached | {statistics.median(s for s, _ in second):.1f} s |")
    typer.echo(
        f"| peak memory, nothing cached | {statistics.median(m for _, m in first):.2f} GiB |"
    )
    ratios = [train / fit for train, fit in zip(trains, fits, strict=True)]
    typer.echo(f"| step `train` over the bare fit | {statistics.median(ratios):.2f} |")
    typer.echo("\n| step | seconds |\n|---|---|")
    for step, seconds in timed.items():
        typer.echo(f"| {step} | {seconds:.1f} |")
    typer.echo("\n| rows_multiple | seconds | GiB |\n|---|---|---|")
    for multiple in multiples.split(","):
        with tempfile.TemporaryDirectory() as name:
            options = [] if multiple == "1" else ["--rows-multiple", multiple]
            seconds, memory, _ = command(Path(name), "-m", "pipelines.main", *options)
        typer.echo(f"| {multiple} | {seconds:.1f} | {memory:.2f} |")


if __name__ == "__main__":
    typer.run(main)
