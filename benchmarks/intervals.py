"""Intervals from resamples of few rows beside those of resamples of all, on the newest candidate.

`python -m benchmarks.intervals` where a pipeline has run: the width of each metric's interval over
that of many full resamples, and the CPU seconds of both. Prints Markdown, for docs/benchmarks.md.
"""

import time
from typing import Annotated

import typer

from contract.statistics.bootstrap import bootstrap, estimate, interval, subset_rows
from contract.statistics.metrics import Metric, Scored, metrics_for
from pipelines.model.fitted import load_model, score
from pipelines.runtime.step import latest_run, load_result
from pipelines.runtime.workspace import open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.train import read_rows


def main(
    use_case: Annotated[str, typer.Option(help="One whose pipeline has run here.")] = "flights",
    resamples: Annotated[int, typer.Option(help="Full resamples to compare with.")] = 10_000,
) -> None:
    """Print widths and seconds."""
    with open_workspace(use_case) as workspace:
        trained = load_result(workspace, TRAIN, latest_run(workspace, TRAIN))
        rows = read_rows(workspace.tables, workspace.use_case, trained.holdout)
        scored = score(load_model(trained.model_uri), rows, workspace.use_case)
        declared = workspace.use_case

    def measure(part: Scored) -> dict[str, Metric]:
        return metrics_for(declared, part)

    n_rows, drawn = rows.num_rows, declared.evaluation.resamples
    started = time.process_time()
    found = estimate(measure, scored, drawn)
    few_s, started = time.process_time() - started, time.process_time()
    same = bootstrap(measure(scored), n_rows, drawn)
    all_s = time.process_time() - started
    full = bootstrap(measure(scored), n_rows, resamples, seed=1)
    few = f"{drawn:,} of {subset_rows(scored):,} rows"
    print(f"| metric | {few} | {drawn:,} of {n_rows:,} | width at {resamples:,} of {n_rows:,} |")
    print("|---|---|---|---|")
    for name, figure in found.items():
        low, high = interval(full[name])
        ends = interval(same[name])
        ratios = ((figure.high - figure.low), (ends[1] - ends[0]))
        shown = " | ".join(f"{width / (high - low):.3f}" for width in ratios)
        print(f"| {name} | {shown} | {high - low:.4f} |")
    print(f"| CPU seconds | {few_s:.1f} | {all_s:.1f} | |")


if __name__ == "__main__":
    typer.run(main)
