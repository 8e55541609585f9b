"""How often the gate errs: simulated pairs of models, by metric and number of rows.

Each pair is resampled and judged as the gate does it, on rows of its own. Prints Markdown, for
docs/gate.md.
"""

from collections.abc import Callable
from statistics import NormalDist
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from contract.statistics.metrics import Scored
from contract.use_case.loader import load_use_case
from contract.use_case.model import Evaluation, UseCase
from pipelines.model.comparison import compare

MARGIN = 0.02
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


def main(
    rows: Annotated[str, typer.Option(help="Numbers of holdout rows.")] = "500,1000,2500",
    simulations: Annotated[int, typer.Option(help="Pairs for each figure.")] = 1000,
    metrics: Annotated[str, typer.Option(help="Of these metrics.")] = ",".join(PAIRS),
) -> None:
    """Print how often a challenger passes that is worse by the margin, and one that is equal."""
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
