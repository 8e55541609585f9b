"""The champion's answers, three ways: compiled, by its scikit-learn pipeline, by mlflow.pyfunc.

Runs where a pipeline has run (`make train`): rounds are interleaved on one thread, medians printed
as Markdown for docs/benchmarks.md.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

SECONDS = 0.2  # of each measurement of a round

Ways = dict[str, Callable[[], Any]]


def timed(way: Callable[[], Any]) -> float:
    """CPU seconds of one call, repeated for a while: others on the machine don't count."""
    calls, started = 0, time.process_time()
    while (passed := time.process_time() - started) < SECONDS:
        way()
        calls += 1
    return passed / calls


def ways(use_case: str, root: str) -> Callable[[int], Ways]:
    """Three functions that answer the first n rows of the champion's holdout."""
    import mlflow

    from contract.names import CHAMPION
    from contract.settings import read_settings
    from contract.store.frames import input_frame, plain_values
    from contract.store.tables import Tables
    from contract.use_case.loader import load_use_case
    from serving.scoring.scorer import deriving
    from serving.scoring.sklearn_scorer import MODEL_FILE, load_pipeline, pipeline_scorer
    from serving.scoring.version import load_version
    from tracking.store import connect

    settings, declared = read_settings(root), load_use_case(use_case)
    connect(settings)
    address = f"models:/{declared.name}@{CHAMPION}"
    folder = Path(mlflow.artifacts.download_artifacts(address))
    served = load_version(folder, declared.name, CHAMPION)
    case = served.use_case
    by_pipeline = deriving(pipeline_scorer(load_pipeline(folder / MODEL_FILE), case), case)
    by_mlflow = mlflow.pyfunc.load_model(str(folder))
    holdout = Tables(settings.table_root, declared.name).read("holdout")

    def of(n_rows: int) -> Ways:
        rows = holdout.slice(0, n_rows)
        columns = {name: plain_values(rows.column(name)) for name in served.scorer.features}
        frame = input_frame(rows, served.use_case)
        return {
            "compiled scorer": lambda: served.scorer.score(columns),
            "scikit-learn pipeline": lambda: by_pipeline.score(columns),
            "mlflow.pyfunc": lambda: by_mlflow.predict(frame),
        }

    return of


def main(
    use_case: Annotated[str, typer.Option(help="Shipped use case or path.")] = "flights",
    root: Annotated[str, typer.Option(help="Where tables live; empty: FOURCYCLE_ROOT.")] = "",
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 7,
    rows: Annotated[str, typer.Option(help="Numbers of rows.")] = "1,100,10000",
) -> None:
    """Measure, and print a Markdown table."""
    os.environ["OMP_NUM_THREADS"] = "1"  # more threads help none of the three on a busy machine
    of = ways(use_case, root)
    typer.echo("| rows | way | median | a row | times the compiled scorer |\n|---|---|---|---|---|")
    for n_rows in map(int, rows.split(",")):
        known = of(n_rows)
        found: dict[str, list[float]] = {name: [] for name in known}
        for _ in range(rounds):
            for name, way in known.items():
                found[name].append(timed(way))
        medians = {name: statistics.median(values) for name, values in found.items()}
        first = next(iter(medians.values()))
        for name, value in medians.items():
            each = f"{value * 1e6 / n_rows:.3g} µs"
            typer.echo(
                f"| {n_rows:,} | {name} | {value * 1e3:.3g} ms | {each} | {value / first:.3g} |"
            )


if __name__ == "__main__":
    typer.run(main)
