"""Search the declared parameter space with Optuna, each trial a nested MLflow run."""

import threading
import time
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import optuna
import pyarrow as pa
from mlflow import MlflowClient
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from contract.errors import BadInput, Refused
from contract.statistics.metrics import SMALLER_IS_BETTER, check_metric, metrics_for
from contract.store.frames import feature_frame
from contract.use_case.model import UseCase
from contract.use_case.sections.estimator import Range
from contract.use_case.sections.split import GroupSplit, TimeSplit
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import labels, score_inputs, weights
from pipelines.runtime.console import console
from tracking.tags import PARENT_TAG, STEP_TAG, TRIAL_STATE_TAG

FOLDS = 3
PARALLEL_TRIALS = 2


@dataclass(frozen=True)
class BestTrial:
    """The winning parameters and their mean metric over the folds."""

    parameters: dict[str, Any]
    value: float
    finished: int
    pruned: int


def tune(client: MlflowClient, rows: pa.Table, use_case: UseCase, trials: int) -> BestTrial:
    """Best parameters of `trials` seeded trials over training rows in order of time.

    Folds keep the order of time, or groups together, as the split does. Trials run two at a time,
    so the points tried can differ from run to run; training with the winner does not.
    """
    if not use_case.estimator.search:
        raise BadInput(f"tune: {use_case.name} declares no estimator.search to tune in.")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    metric = use_case.evaluation.metric
    study = optuna.create_study(
        direction="minimize" if metric in SMALLER_IS_BETTER else "maximize",
        sampler=optuna.samplers.TPESampler(seed=use_case.estimator.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3),
    )
    study.enqueue_trial(_declared(use_case))
    search = _Search(client, rows, use_case)
    columns = (TextColumn("  tuning"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console()) as progress:
        bar = progress.add_task("tuning", total=trials)
        study.optimize(
            search.objective,
            n_trials=trials,
            n_jobs=PARALLEL_TRIALS,
            callbacks=[lambda *_: progress.advance(bar)],
        )
    states = [trial.state for trial in study.trials]
    finished = states.count(optuna.trial.TrialState.COMPLETE)
    if not finished:
        raise Refused(f"tune: none of {trials} trials gave a value of {metric}.")
    pruned = states.count(optuna.trial.TrialState.PRUNED)
    return BestTrial(study.best_params, study.best_value, finished, pruned)


def suggest(trial: optuna.Trial, name: str, space: Range) -> Any:
    """The value of a searched parameter that a trial is to try."""
    if space.choices is not None:
        return trial.suggest_categorical(name, list(space.choices))
    low, high = float(space.low or 0), float(space.high or 0)
    if space.integer:
        return trial.suggest_int(name, int(low), int(high), log=space.log)
    return trial.suggest_float(name, low, high, log=space.log)


class _Search:
    """The objective of a search; its trials run in threads, so it writes by client alone."""

    def __init__(self, client: MlflowClient, rows: pa.Table, use_case: UseCase) -> None:
        self.client, self.rows, self.use_case = client, rows, use_case
        parent = mlflow.active_run()
        if parent is None:
            raise RuntimeError("a search logs under an active run")
        self.parent = parent
        self.folds = list(_folds(rows, use_case))
        self.features = feature_frame(rows, use_case)  # once: trials differ in nothing of it
        self.lock = threading.Lock()

    def objective(self, trial: optuna.Trial) -> float:
        suggested = {
            name: suggest(trial, name, space)
            for name, space in self.use_case.estimator.search.items()
        }
        run_id = self._start(trial.number, suggested)
        try:
            values = []
            for fold, (train, test) in enumerate(self.folds):
                values.append(self._value(suggested, train, test))
                trial.report(float(np.mean(values)), fold)
                if trial.should_prune():
                    raise optuna.TrialPruned
        except optuna.TrialPruned:
            self._end(run_id, values, "pruned", "FINISHED")
            raise
        except Exception:
            self._end(run_id, values, "failed", "FAILED")
            raise
        self._end(run_id, values, "complete", "FINISHED")
        return float(np.mean(values))

    def _value(self, suggested: dict[str, Any], train: Any, test: Any) -> float:
        rows, use_case = self.rows, self.use_case
        part = rows.take(pa.array(train))
        model = fit_pipeline(
            use_case,
            use_case.estimator.parameters | suggested,
            self.features.iloc[train],
            labels(part, use_case),
            weights(part, use_case),
        )
        held = rows.take(pa.array(test))
        label, weight = labels(held, use_case), weights(held, use_case)
        scored = score_inputs(model, self.features.iloc[test], label, use_case, weight)
        metrics = metrics_for(use_case, scored)
        check_metric(use_case, metrics)
        return float(metrics[use_case.evaluation.metric](np.ones((1, len(scored.label))))[0])

    def _start(self, number: int, suggested: dict[str, Any]) -> str:
        with self.lock:
            run = self.client.create_run(
                self.parent.info.experiment_id,
                run_name=f"trial {number}",
                tags={PARENT_TAG: self.parent.info.run_id, STEP_TAG: "trial"},
            )
            for name, value in suggested.items():
                self.client.log_param(run.info.run_id, name, value)
        return str(run.info.run_id)

    def _end(self, run_id: str, values: list[float], state: str, status: str) -> None:
        with self.lock:
            for fold, value in enumerate(values):
                name = f"fold/{self.use_case.evaluation.metric}"
                self.client.log_metric(run_id, name, value, step=fold)
            if values:
                name = f"cross_validation/{self.use_case.evaluation.metric}"
                self.client.log_metric(run_id, name, float(np.mean(values)))
            self.client.set_tag(run_id, TRIAL_STATE_TAG, state)
            self.client.set_terminated(run_id, status, end_time=int(time.time() * 1000))


def _folds(rows: pa.Table, use_case: UseCase) -> Any:
    index = np.arange(rows.num_rows)
    match use_case.split:
        case TimeSplit():
            return TimeSeriesSplit(FOLDS).split(index)
        case GroupSplit() as how:
            groups = rows.column(how.column).to_pandas()
            return GroupKFold(min(FOLDS, groups.nunique())).split(index, groups=groups)
    folds = StratifiedKFold if use_case.classifies else KFold
    return folds(FOLDS, shuffle=True, random_state=0).split(index, labels(rows, use_case))


def _declared(use_case: UseCase) -> dict[str, Any]:
    """The parameters that stand in the file: the first trial, for the search must beat them."""
    given = use_case.estimator.parameters
    return {name: given[name] for name in use_case.estimator.search if name in given}
