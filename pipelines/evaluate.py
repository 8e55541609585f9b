"""Evaluate: measure a candidate on the frozen holdout, beside a baseline and the champion.

Every figure comes with its bootstrap interval; the baseline and the champion see the same rows.
Answers are those of the scorers that serve, not of the pipelines that they were compiled from.
"""

import mlflow
import numpy as np
import pyarrow as pa

from contract.errors import FourcycleError
from contract.statistics.bootstrap import Estimate, estimate
from contract.statistics.metrics import Metric, Scored, metric_values, metrics_for
from contract.store.frames import column_of
from contract.use_case.model import UseCase
from pipelines.model.baseline import baseline
from pipelines.model.fitted import answers, labels, load_model, weights
from pipelines.model.importance import permutation
from pipelines.model.plots import figures
from pipelines.model.results import Evaluated, Figure, HoldoutSlice, Measured, Trained
from pipelines.registry.versions import Version, champion_of, version_of_run
from pipelines.release.loaded_package import check_columns, load
from pipelines.runtime import cli
from pipelines.runtime.console import console, working
from pipelines.runtime.run_inputs import log_input
from pipelines.runtime.step import Done, Step, execute, latest_run, load_result
from pipelines.runtime.workspace import Workspace, open_workspace
from pipelines.train import STEP as TRAIN
from pipelines.train import read_rows
from serving.scoring.scorer import Scorer
from tracking.tags import CHAMPION_TAG, CHAMPION_UNREADABLE_TAG, COMPARED_WITH_TAG

SLICE_RESAMPLES = 200
SLICE_MIN_ROWS = 30
SLICE_MAX_VALUES = 50
NONE = "none"


STEP = Step(
    "evaluate",
    Evaluated,
    ("columns", "derived", "time_zone", "target", "weight", "positive", "evaluation"),
)


def evaluate(workspace: Workspace, trained: Trained) -> Done[Evaluated]:
    """Measure a candidate; the version it became, if any, is compared as it was then."""
    champion = _opponent(workspace, trained)
    inputs = {
        "prediction": trained.prediction_hash,
        "holdout": trained.holdout.content_hash,
        "champion": champion.version if champion else NONE,
    }
    return execute(workspace, STEP, lambda: _evaluate(workspace, trained, champion), inputs)


def _opponent(workspace: Workspace, trained: Trained) -> Version | None:
    """The champion; for a candidate that is registered already, the one it met back then.

    A promoted version would otherwise be compared with itself and evaluated for nothing.
    """
    version = version_of_run(workspace, trained.run_id)
    if version is None:
        return champion_of(workspace)
    met = version.tags.get(COMPARED_WITH_TAG, NONE)
    return None if met == NONE else Version.read(workspace, met)


def _evaluate(workspace: Workspace, trained: Trained, champion: Version | None) -> Evaluated:
    from pipelines.compiler.compile import (
        scorer_of,  # treelite and onnx, which a reused step never needs
    )

    use_case = workspace.use_case
    rows = read_rows(workspace.tables, use_case, trained.holdout)
    model = load_model(trained.model_uri, trained.own_class, workspace.code_folder)
    with working(f"measuring on {rows.num_rows:,} holdout rows"):
        scored = _answers(scorer_of(model, use_case, trained.own_class), rows, use_case)
        measured = estimate(
            lambda part: metrics_for(use_case, part), scored, use_case.evaluation.resamples
        )
        training = read_rows(workspace.tables, use_case, trained.training)
        constant = baseline(
            labels(training, use_case), scored, use_case, weights(training, use_case)
        )
        trivial = metric_values(use_case, constant)
        theirs = _champion_figures(workspace, champion, rows)
        sliced = tuple(_slices(use_case, rows, scored))
        importance = permutation(model, rows, use_case)
    run = mlflow.active_run()
    evaluated = Evaluated(
        run_id=run.info.run_id if run else "",
        metric=use_case.evaluation.metric,
        holdout=trained.holdout,
        figures={name: _figure(value) for name, value in measured.items()},
        baseline=trivial,
        champion=champion.version if champion else NONE,
        champion_figures=theirs,
        slices=sliced,
        importance=importance,
    )
    _log(workspace, evaluated, scored)
    return evaluated


def _champion_figures(
    workspace: Workspace, champion: Version | None, rows: pa.Table
) -> dict[str, float]:
    if champion is None:
        return {}
    try:
        theirs = load(workspace, champion).served.scorer
        check_columns(theirs, rows)
        return metric_values(workspace.use_case, _answers(theirs, rows, workspace.use_case))
    except (FourcycleError, mlflow.MlflowException, OSError, KeyError, ValueError) as error:
        # Whether an unreadable champion stops a promotion is for the gate to say.
        message = f"  champion version {champion.version} can't be measured: {error}"
        console().print(message, markup=False)
        mlflow.set_tag(CHAMPION_UNREADABLE_TAG, str(error)[:500])
        return {}


def _answers(scorer: Scorer, rows: pa.Table, use_case: UseCase) -> Scored:
    """What would be answered to labelled rows, with their weights."""
    return answers(scorer, rows, labels(rows, use_case), weights(rows, use_case))


def _slices(use_case: UseCase, rows: pa.Table, scored: Scored) -> "list[HoldoutSlice]":
    slices = []
    for column in use_case.evaluation.slices:
        values = column_of(rows, use_case, column).to_pandas().astype(str).to_numpy()
        names, counts = np.unique(values, return_counts=True)
        for name in names[np.argsort(-counts)][:SLICE_MAX_VALUES]:
            mask = values == name
            figure = _slice_figure(use_case, scored.rows(mask))
            slices.append(
                HoldoutSlice(column=column, value=str(name), rows=int(mask.sum()), figure=figure)
            )
    return slices


def _slice_figure(use_case: UseCase, part: Scored) -> Figure | None:
    n_rows = len(part.label)
    if n_rows < SLICE_MIN_ROWS or (use_case.classifies and len(np.unique(part.label)) < 2):
        return None
    name = use_case.evaluation.metric

    def main_metric(part: Scored) -> dict[str, Metric]:
        return {name: metrics_for(use_case, part)[name]}

    return _figure(estimate(main_metric, part, SLICE_RESAMPLES)[name])


def _figure(value: Estimate) -> Figure:
    return Figure(value=value.value, low=value.low, high=value.high)


def _log(workspace: Workspace, evaluated: Evaluated, scored: Scored) -> None:
    mlflow.log_metrics(evaluated.metrics())
    mlflow.log_table(
        {
            "column": [s.column for s in evaluated.slices],
            "value": [s.value for s in evaluated.slices],
            "rows": [s.rows for s in evaluated.slices],
            evaluated.metric: [s.figure.value if s.figure else None for s in evaluated.slices],
            "low": [s.figure.low if s.figure else None for s in evaluated.slices],
            "high": [s.figure.high if s.figure else None for s in evaluated.slices],
        },
        "slices.json",
    )
    ends = ("mean", "least", "most")
    spread = {n: dict(zip(ends, lost, strict=True)) for n, lost in evaluated.importance.items()}
    mlflow.log_dict(spread, "importance.json")
    whole = evaluated.figures[evaluated.metric].measured
    sliced: dict[str, dict[str, Measured]] = {s.column: {} for s in evaluated.slices}
    for s in evaluated.slices:
        if s.figure:
            sliced[s.column][s.value] = s.figure.measured
    drawings = figures(workspace.use_case, scored, evaluated.importance, whole, sliced)
    for name, drawn in drawings:
        mlflow.log_figure(drawn, f"plots/{name}.png")
    mlflow.set_tag(CHAMPION_TAG, evaluated.champion)
    log_input(workspace.tables, evaluated.holdout, "holdout")


def main(
    use_case: cli.UseCaseOption = "flights",
    root: cli.RootOption = "",
    train: cli.RunOption = "",
) -> None:
    """Evaluate: measure a candidate on the holdout beside a baseline and the champion."""
    with open_workspace(use_case, root) as workspace:
        run_id = latest_run(workspace, TRAIN, train)
        evaluate(workspace, load_result(workspace, TRAIN, run_id))


if __name__ == "__main__":
    cli.run(main)
