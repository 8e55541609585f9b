"""A process of a search is killed: the others finish the study, and try again what it tried."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import mlflow
import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from contract.settings import Settings, read_settings
from pipelines.model.search.studies import FILE, open_studies
from pipelines.model.search.tune import PARALLEL_TRIALS
from tests.support.project import PROJECT
from tests.support.rounds import FULL
from tests.support.searching import NAME, TRIALS
from tracking.store import connect
from tracking.tags import TRIAL_STATE_TAG

PATIENCE_S = 300
SCRIPT = [sys.executable, "-m", "tests.support.searching"]


@pytest.fixture
def settings(stored: Path) -> Settings:
    """Those of a sqlite store."""
    found = read_settings()
    connect(found)
    mlflow.set_experiment("search")
    return found


def ignored(study: optuna.Study, trial: FrozenTrial) -> None:
    """Nobody sweeps here."""


def trials_of(settings: Settings) -> list[FrozenTrial]:
    """The trials of the study so far; none where it is not there yet."""
    with open_studies(settings, ignored) as storage:
        try:
            study = optuna.load_study(study_name=NAME, storage=storage)
        except KeyError:
            return []
        return study.get_trials()


def joined(home: Path) -> subprocess.Popen[bytes]:
    """A process that searches too; it writes what it found."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": read_settings().store_uri}
    with (home / "found.txt").open("a") as found:
        return subprocess.Popen([*SCRIPT, str(home)], cwd=PROJECT, env=environment, stdout=found)


def at_work(file: Path) -> set[int]:
    """Numbers of the trials that somebody is at, with parameters; read beside whoever writes."""
    query = (
        "SELECT number FROM trials WHERE state = 'RUNNING' AND number > 1 "
        "AND trial_id IN (SELECT trial_id FROM trial_user_attributes)"
    )
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return {number for (number,) in connection.execute(query)}
    except sqlite3.OperationalError:  # it is not there yet
        return set()


def killed_at_work(home: Path) -> set[int]:
    """Kill a process over what it tries on a study of its own; the numbers of that."""
    process, deadline = joined(home), time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if at_work(home / FILE):
            process.kill()
            process.wait()
            if left := at_work(home / FILE):
                return left
            process = joined(home)  # it had ended them just then
        time.sleep(0.05)
    raise AssertionError("it never tried anything")


@pytest.mark.skipif(not FULL, reason="three processes: make faults")
def test_processes_share_a_study_and_outlive_one_of_them(home: Path, settings: Settings) -> None:
    dead = killed_at_work(home)
    others = [joined(home) for _ in range(2)]
    assert [process.wait(PATIENCE_S) for process in others] == [0, 0]
    said = (home / "found.txt").read_text().splitlines()
    assert (len(said), len(set(said))) == (2, 1)  # the same winner
    trials = trials_of(settings)
    ended = [t for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(ended) == TRIALS
    assert said[0].split()[2] == str(TRIALS)
    assert {t.number for t in trials if t.state == TrialState.FAIL} >= dead
    again = {t.user_attrs["again"]: t for t in trials if "again" in t.user_attrs}
    for number in dead:
        assert trials[number].params == again[number].params
    assert all(t.state.is_finished() for t in trials)
    declared = [t for t in trials if t.params.get("C") == 1.0 and t.number not in dead]
    assert len(declared) == 1
    # Each trial has its run, and none that the study knows is left as if it ran.
    client = connect(settings)
    runs = client.search_runs(["1"], "tags.step = 'trial'")
    states = [run.data.tags.get(TRIAL_STATE_TAG, "unknown") for run in runs]
    assert states.count("killed") == len(dead)
    # The study does not know of a run that was made just before: the next command ends it.
    assert states.count("unknown") < PARALLEL_TRIALS
    assert len(states) == TRIALS + len(dead) + states.count("unknown")
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs}
    assert len(parents) >= 2  # more than one process did some
