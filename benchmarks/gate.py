"""How often the gate errs: simulated pairs of models, by metric and number of rows.

Each pair is resampled and judged as the gate does it, on rows of its own. Prints Markdown, for
docs/gate.md. `--intervals flights` compares the intervals that are shown with full resamples.
"""

import time
from collections.abc import Callable
from statistics import NormalDist
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from contract.statistics.bootstrap import bootstrap, estimate, interval, subset_rows
from contract.statistics.metrics import Metric, Scored, metrics_for
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.gates import Evaluation
from pipelines.model.comparison import compare
from pipelines.model.fitted import load_model, score
from pipelines.runtime.step import latest_run, load_result
from pipelines.runtime.workspace import open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.train import read_rows

MARGIN = 0.02
FULL_RESAMPLES = 10_000
SHARED = 0.95  # of a model's errors are also the other's: both learnt from the same rows
Pair = Callable[[np.random.Generator, int, float], tuple[Scored, Scored]]


def rankings(random: np.random.Generator, n_rows: int, worse_by: float) -> tuple[Scored, Scored]:
    """Two rankings; the first one's area under the curve is lower by exactly `worse_by`.

    Scores are normal in each class, so the area is Φ(distance / √2).
    """
    label = random.random(n_rows) < 0.3
    common, *own = random.normal(size=(3, n_rows))
    answers = []
    for auc, noise in zip((0.75 - worse_by, 0.75), own, strict=True):
        distance = NormalDist().inv_cdf(auc) * np.sqrt(2)
        score = distance * label + np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * noise
        answers.append(_scored(label, 1 / (1 + np.exp(-score))))
    return answers[0], answers[1]


def classifiers(random: np.random.Generator, n_rows: int, worse_by: float) -> tuple[Scored, Scored]:
    """Two classifiers that disagree on a tenth of the rows; the first is right less often by
    exactly `worse_by`."""
    label, drawn = random.random(n_rows) < 0.3, random.random(n_rows)
    lost = 0.05 + worse_by / 2
    both = (drawn >= 0.1) & (drawn < 0.85)
    mine, theirs = both | ((drawn >= lost) & (drawn < 0.1)), both | (drawn < lost)
    return _certain(label, np.where(mine, 0.9, 0.1)), _certain(label, np.where(theirs, 0.9, 0.1))


def chances(random: np.random.Generator, n_rows: int, worse_by: float) -> tuple[Scored, Scored]:
    """Two sets of probabilities; the first one's mean loss is higher by exactly `worse_by`."""
    label, loss = random.random(n_rows) < 0.3, random.uniform(0.3, 1.0, n_rows)
    changed = loss + worse_by + random.uniform(-0.25, 0.25, n_rows)
    return _certain(label, np.exp(-changed)), _certain(label, np.exp(-loss))


PAIRS: dict[str, Pair] = {"accuracy": classifiers, "log_loss": chances, "roc_auc": rankings}


def passes(case: UseCase, pair: Pair, n_rows: int, worse_by: float, simulations: int) -> float:
    """Share of simulated challengers whose interval begins above the margin."""
    random = np.random.default_rng(n_rows)
    found = [compare(case, *pair(random, n_rows, worse_by), {}) for _ in range(simulations)]
    return sum(one.difference.low > -MARGIN for one in found) / simulations


def _certain(label: npt.NDArray[np.bool_], of_truth: npt.NDArray[np.float64]) -> Scored:
    return _scored(label, np.where(label, of_truth, 1 - of_truth))


def _scored(label: npt.NDArray[np.bool_], p: npt.NDArray[np.float64]) -> Scored:
    return Scored(label, p > 0.5, np.column_stack([1 - p, p]), (False, True))


def widths(use_case: str) -> None:
    """Print how wide shown intervals are beside those of many full resamples, and what both cost.

    On the newest candidate of a use case whose pipeline has run here.
    """
    with open_workspace(use_case) as workspace:
        trained = load_result(workspace, TRAIN, latest_run(workspace, TRAIN))
        rows = read_rows(workspace.tables, workspace.use_case, trained.holdout)
        scored = score(load_model(trained.model_uri), rows, workspace.use_case)
        declared = workspace.use_case

    def measure(part: Scored) -> dict[str, Metric]:
        return metrics_for(declared, part)

    n_rows, drawn, resamples = rows.num_rows, declared.evaluation.resamples, FULL_RESAMPLES
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


def main(
    rows: Annotated[str, typer.Option(help="Numbers of holdout rows.")] = "500,1000,2500",
    simulations: Annotated[int, typer.Option(help="Pairs for each figure.")] = 1000,
    metrics: Annotated[str, typer.Option(help="Of these metrics.")] = ",".join(PAIRS),
    intervals: Annotated[str, typer.Option(help="Instead: widths of a use case's.")] = "",
) -> None:
    """Print how often a challenger passes that is worse by the margin, and one that is equal."""
    if intervals:
        widths(intervals)
        return
    print(f"| metric | rows | worse by the margin ({MARGIN:g}) passes | equal passes |")
    print("|---|---|---|---|", flush=True)
    for metric in metrics.split(","):
        evaluation = Evaluation(metric=metric, resamples=1000)
        case = load_use_case("flights").model_copy(update={"evaluation": evaluation})
        for n_rows in map(int, rows.split(",")):
            worse, equal = (
                passes(case, PAIRS[metric], n_rows, by, simulations) for by in (MARGIN, 0.0)
            )
            print(f"| {metric} | {n_rows:,} | {worse:.1%} | {equal:.1%} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
