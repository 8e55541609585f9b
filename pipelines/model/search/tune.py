"""Search the declared parameter space with Optuna, each trial a nested MLflow run."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import optuna
import pyarrow as pa
from mlflow import MlflowClient
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

from contract.errors import BadInput, Refused
from contract.settings import Settings
from contract.statistics.metrics import SMALLER_IS_BETTER, check_metric, metrics_for
from contract.store.frames import feature_frame
from contract.use_case.model import UseCase
from contract.use_case.sections.estimator import Range
from contract.use_case.sections.split import GroupSplit, TimeSplit
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import labels, score_inputs, weights
from pipelines.model.search.studies import BEAT_S, DEAD_S, open_studies, place_of, unwarned
from pipelines.runtime.console import console
from pipelines.runtime.process_identity import process_identity
from tracking.tags import PARENT_TAG, PROCESS_TAG, STEP_TAG, TRIAL_STATE_TAG

FOLDS = 3
PARALLEL_TRIALS = 2
POLL_S = 1.0
# What is noted at a trial: its run, that it came to its own end, and whose place it takes.
RUN_ID, ENDED, AGAIN = "run_id", "ended", "again"


@dataclass(frozen=True)
class BestTrial:
    """The winning parameters and their mean metric over the folds."""

    parameters: dict[str, Any]
    value: float
    finished: int
    pruned: int


@dataclass(frozen=True)
class SharedStudy:
    """A study that other processes may work on at the same time, by its name in the database of
    studies; `beat_s` and `dead_s` are as of `open_studies`."""

    settings: Settings
    name: str
    beat_s: int = BEAT_S
    dead_s: int = DEAD_S


def tune(
    client: MlflowClient,
    rows: pa.Table,
    use_case: UseCase,
    trials: int,
    shared: SharedStudy | None = None,
) -> BestTrial:
    """Best parameters of `trials` seeded trials over training rows in order of time.

    Folds keep the order of time, or groups together, as the split does. Trials run two at a time,
    so the points tried can differ from run to run; training with the winner does not.

    Of a `shared` study the trials are those of all processes that work on it: each ends when all of
    them are done, with the same best one. What a process that died was trying is tried again. Where
    one goes on with what another began, chance is not that of the seed any more.
    """
    if not use_case.estimator.search:
        raise BadInput(f"tune: {use_case.name} declares no estimator.search to tune in.")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = _Search(client, rows, use_case, trials)
    columns = (TextColumn("  tuning"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    if shared and (alone := place_of(shared.settings).alone):
        console().print(f"  {alone}", markup=False)
    with _storage(search, shared) as storage, unwarned():
        study = _study(use_case, storage, shared.name if shared else use_case.name)
        with Progress(*columns, console=console()) as progress:
            bar = progress.add_task("tuning", total=trials)
            _run(study, search, lambda done: progress.update(bar, completed=done))
        return _best(study, use_case)


def _best(study: optuna.Study, use_case: UseCase) -> BestTrial:
    states = [trial.state for trial in _counted(study)]
    finished, pruned = (states.count(s) for s in (TrialState.COMPLETE, TrialState.PRUNED))
    if not finished:
        metric = use_case.evaluation.metric
        raise Refused(f"tune: none of {len(states)} trials gave a value of {metric}.")
    return BestTrial(study.best_params, study.best_value, finished, pruned)


@contextmanager
def _storage(search: "_Search", shared: SharedStudy | None) -> Iterator[BaseStorage]:
    """Where the trials are kept in the block: of a study of one process in its memory."""
    if shared is None:
        yield optuna.storages.InMemoryStorage()
        return
    with open_studies(shared.settings, search.sweep, shared.beat_s, shared.dead_s) as storage:
        yield storage


def _study(use_case: UseCase, storage: BaseStorage, name: str) -> optuna.Study:
    """A new study, whose first trial is what is declared, or the one that others work on."""
    seed, pruner = use_case.estimator.seed, optuna.pruners.MedianPruner(n_startup_trials=3)
    smaller = use_case.evaluation.metric in SMALLER_IS_BETTER
    try:
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            direction="minimize" if smaller else "maximize",
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=pruner,
        )
    except optuna.exceptions.DuplicatedStudyError:
        # With the seed of the first, a second process would try the same points.
        sampler = optuna.samplers.TPESampler()
        return optuna.load_study(study_name=name, storage=storage, sampler=sampler, pruner=pruner)
    study.enqueue_trial(_declared(use_case))
    return study


def _run(study: optuna.Study, search: "_Search", shown: Callable[[int], None]) -> None:
    """Try until as many trials are done as were asked for, whoever does them."""

    def show(*_: object) -> None:
        shown(sum(trial.state.is_finished() for trial in _counted(study)))

    while True:
        show()
        counted = _counted(study)
        if (missing := search.trials - len(counted)) > 0:
            study.optimize(
                search.objective,
                n_trials=missing,
                n_jobs=PARALLEL_TRIALS,
                callbacks=[show],
            )
        elif all(trial.state.is_finished() for trial in counted):
            return
        else:  # others are at the last ones, or have died over them
            time.sleep(POLL_S)
            optuna.storages.fail_stale_trials(study)


def _counted(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that came to an end, a bad one too, or are at work."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state == TrialState.RUNNING or trial.user_attrs.get(ENDED)
    ]


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

    def __init__(
        self, client: MlflowClient, rows: pa.Table, use_case: UseCase, trials: int
    ) -> None:
        self.client, self.rows, self.use_case, self.trials = client, rows, use_case, trials
        parent = mlflow.active_run()
        assert parent is not None, "a search logs under an active run"
        self.parent = parent
        self.folds = list(_folds(rows, use_case))
        self.features = feature_frame(rows, use_case)  # once: trials differ in nothing of it
        self.lock = threading.Lock()

    def sweep(self, study: optuna.Study, dead: FrozenTrial) -> None:
        """End what a process left behind that died over a trial, and have it tried again, once."""
        if run_id := dead.user_attrs.get(RUN_ID):
            self._end(run_id, [], "killed", "KILLED")
        if AGAIN not in dead.user_attrs and dead.params:
            study.enqueue_trial(dead.params, user_attrs={AGAIN: dead.number})

    def objective(self, trial: optuna.Trial) -> float:
        """The mean metric over the folds.

        Pruned and failed trials raise. One more than are wanted, which a process asks for that did
        not know of another's, is pruned unseen: their numbers, which all see alike, decide.
        """
        earlier = [t for t in _counted(trial.study) if t.number < trial.number]
        if len(earlier) >= self.trials:
            trial.study.stop()
            raise optuna.TrialPruned
        suggested = {
            name: suggest(trial, name, space)
            for name, space in self.use_case.estimator.search.items()
        }
        run_id = self._start(trial.number, suggested)
        trial.set_user_attr(RUN_ID, run_id)
        values: list[float] = []

        def ended(state: str, status: str) -> None:
            self._end(run_id, values, state, status)
            trial.set_user_attr(ENDED, True)

        try:
            for fold, (train, test) in enumerate(self.folds):
                values.append(self._value(suggested, train, test))
                trial.report(float(np.mean(values)), fold)
                if trial.should_prune():
                    raise optuna.TrialPruned
        except optuna.TrialPruned:
            ended("pruned", "FINISHED")
            raise
        except Exception:
            ended("failed", "FAILED")
            raise
        ended("complete", "FINISHED")
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
                tags={
                    PARENT_TAG: self.parent.info.run_id,
                    STEP_TAG: "trial",
                    PROCESS_TAG: process_identity(),
                },
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
