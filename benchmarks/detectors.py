"""How often detectors cry wolf and how late they see a change: ours, and Evidently's default.

Prints Markdown, for docs/monitoring.md. Windows come from benchmarks/simulation.py.
"""

import json
import warnings
from typing import Annotated

import numpy as np
import typer
from scipy.stats import binomtest

from benchmarks.simulation import (
    KINDS,
    Drawn,
    Kind,
    Stage,
    changed,
    delay_of_alarm,
    draw,
    evidence,
    follow,
    frame,
    stage,
)
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.distances.registry import DISTANCES
from monitoring.verdict.evidence import PastVerdict
from monitoring.verdict.verdict import decide

N_ROWS = 1000
ONSET = 2
CASES: tuple[tuple[Kind, int, int], ...] = (
    ("covariate", 1, 2),
    ("covariate", 6, 2),
    ("missing", 1, 2),
    ("missing", 6, 2),
    ("prior", 1, 0),
    ("prior", 1, 2),
    ("prior", 6, 2),
    ("concept", 1, 0),
    ("concept", 1, 2),
    ("concept", 6, 2),
)


def false_alarms(on: Stage, windows: int, n_rows: int, policy: Monitoring) -> tuple[int, int]:
    """Of windows without a change: how many drifted, and how many raised an alarm."""
    random = np.random.default_rng(0)
    past: list[PastVerdict] = []
    for _ in range(windows):
        found = evidence(on, draw(on, "none", 0, n_rows, random), True, policy)
        verdict = decide(found, past, policy)
        past.append(PastVerdict(frozenset(verdict.signals), frozenset(verdict.alarms)))
    return sum(bool(p.signals) for p in past), sum(bool(p.alarms) for p in past)


def share(hits: int, trials: int) -> str:
    """A share with its 95 % Clopper-Pearson interval."""
    interval = binomtest(hits, trials).proportion_ci(0.95, method="exact")
    return f"{hits / trials:.1%} [{interval.low:.1%}, {interval.high:.1%}]"


def evidently_says(on: Stage, window: Drawn) -> tuple[bool, bool]:
    """Whether Evidently's default flags a column, and whether it flags the data set."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    words = [n for n in on.frame if on.use_case.feature_columns[str(n)].type == "string"]
    numbers = [n for n in on.frame if n not in words]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    sides = [
        Dataset.from_pandas(rows, data_definition=definition)
        for rows in (frame(on, window), on.reference.inputs)
    ]
    document = Report([DataDriftPreset()]).run(*sides).json()
    count = json.loads(document)["metrics"][0]["value"]
    return count["count"] > 0, count["share"] >= 0.5


def main(
    windows: Annotated[int, typer.Option(help="Windows without a change.")] = 1000,
    seeds: Annotated[int, typer.Option(help="Sequences of each kind of change.")] = 50,
    same: Annotated[int, typer.Option(help="Windows of each kind that Evidently sees too.")] = 50,
) -> None:
    """Measure, and print Markdown tables."""
    warnings.filterwarnings("ignore")  # of the libraries under comparison
    on = stage()
    policy = on.use_case.monitoring
    typer.echo("| distance | no change, rows in a window | windows | drifted | alarm |")
    typer.echo("|---|---|---|---|---|")
    for name in DISTANCES:
        measured = policy.model_copy(update={"distance": name})
        for n_rows in (500, 1000, 5000):
            drifted, alarms = false_alarms(on, windows, n_rows, measured)
            shares = f"{share(drifted, windows)} | {share(alarms, windows)}"
            typer.echo(f"| `{name}` | {n_rows:,} | {windows:,} | {shares} |")
    typer.echo("\n| change | onset | labels late by | found in 8 windows | median delay, windows |")
    typer.echo("|---|---|---|---|---|")
    for kind, ramp, late in CASES:
        delays = [
            delay_of_alarm(follow(on, changed(on, kind, ramp, N_ROWS, seed), late, policy), ONSET)
            for seed in range(seeds)
        ]
        found = [delay for delay in delays if delay is not None]
        onset = "sudden" if ramp == 1 else f"over {ramp} windows"
        median = f"{np.median(found):g}" if found else "–"
        typer.echo(f"| {kind} | {onset} | {late} | {len(found)} of {seeds} | {median} |")
    typer.echo(
        f"\n| {same} windows of 1,000 rows each | ours: drift | Evidently flags a column "
        "| Evidently flags the data set |\n|---|---|---|---|"
    )
    for kind in KINDS:
        random = np.random.default_rng(1)
        drawn = [draw(on, kind, 1.0, N_ROWS, random) for _ in range(same)]
        ours = sum(bool(decide(evidence(on, w, True, policy), (), policy).signals) for w in drawn)
        theirs = [evidently_says(on, w) for w in drawn]
        flags = [sum(t[k] for t in theirs) for k in (0, 1)]
        typer.echo(f"| {kind} | {ours} of {same} | {flags[0]} of {same} | {flags[1]} of {same} |")


if __name__ == "__main__":
    typer.run(main)
