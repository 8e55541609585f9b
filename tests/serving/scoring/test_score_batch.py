"""Columns of Arrow are answered as lists are, to the bit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.errors import Refused
from contract.store.frames import derived_columns
from contract.store.schema import TYPES
from contract.use_case.features import FeatureDerivation
from contract.use_case.functions import PARTS
from contract.use_case.model import UseCase
from serving.scoring.score_batch import score_batch
from serving.scoring.scorer import CHUNK_ROWS, Scorer
from serving.scoring.sklearn_scorer import pipeline_scorer
from tests.support.compiled import allowing, compiled, declared, fitted, made

TREES = "sklearn.ensemble.HistGradientBoosting"
PATHS = {
    "binary": f"{TREES}Classifier",
    "multiclass": "sklearn.linear_model.LogisticRegression",
    "regression": f"{TREES}Regressor",
}
FEW = {f"{TREES}Classifier": {"max_iter": 5}, f"{TREES}Regressor": {"max_iter": 5}}
FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0])
NUMBERS = FINITE | st.sampled_from([math.nan, math.inf, -math.inf])
WHOLE = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 9)
WORDS = st.sampled_from([*"abcde", "unseen", "", "7", "é"])
ROW = {
    "colour": st.none() | WORDS,
    "place": WORDS,
    "size": st.none() | NUMBERS,
    "weight": NUMBERS,
    "flag": st.booleans(),
    "rooms": st.none() | WHOLE,
    "floor": WHOLE,
}
# What a pipeline takes: it refuses infinity, and integers that float64 does not hold.
SANE = (
    ROW
    | {"size": st.none() | FINITE, "weight": FINITE}
    | {
        "rooms": st.none() | st.integers(-(2**53), 2**53),
        "floor": st.integers(-(2**53), 2**53),
    }
)


@dataclass(frozen=True, repr=False)  # too long for Hypothesis to show
class Known:
    """A compiled scorer for each task."""

    scorers: dict[str, tuple[UseCase, Scorer]]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """A compiled scorer for each task."""
    found = {}
    for task, path in PATHS.items():
        case = declared(task, path)
        model = fitted(case, FEW.get(path, {}))
        found[task] = case, compiled(model, case, tmp_path_factory.mktemp(task))
    return Known(found)


@pytest.fixture(scope="module")
def asked() -> Scorer:
    """A pipeline that was not compiled."""
    case = declared("binary", f"{TREES}Classifier")
    return pipeline_scorer(fitted(case, {"max_iter": 5}), case)


def batch(columns: dict[str, list[Any]], case: UseCase) -> pa.RecordBatch:
    return pa.record_batch(
        {name: pa.array(columns[name], TYPES[case.columns[name].type]) for name in case.inputs}
    )


def check_same(
    scorer: Scorer, columns: dict[str, list[Any]], case: UseCase, cut: int | None = None
) -> None:
    """The rows as one batch, or as a table that is cut in two."""
    rows = batch(columns, case)
    if cut is not None:
        rows = pa.Table.from_batches([rows.slice(0, cut), rows.slice(cut)])
    try:
        expected = scorer.score(columns)
    except Refused:  # numbers so large that the model knows no answer
        with pytest.raises(Refused):
            score_batch(scorer, rows, case)
        return
    prediction, *chances = score_batch(scorer, rows, case).to_pydict().values()
    assert prediction == expected.prediction
    assert list(map(type, prediction)) == list(map(type, expected.prediction))
    assert bool(chances) == bool(scorer.classes)
    if chances:
        assert list(map(list, zip(*chances, strict=True))) == expected.probability


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries(ROW), max_size=4), st.integers(0, 4))
def test_any_rows_are_answered_to_the_bit(
    known: Known, rows: list[dict[str, Any]], cut: int
) -> None:
    columns = {name: [row[name] for row in rows] for name in ROW}
    for case, scorer in known.scorers.values():
        check_same(scorer, columns, case)
        check_same(scorer, columns, case, min(cut, len(rows)))


def test_a_batch_longer_than_a_chunk_is_answered_whole(known: Known) -> None:
    case, scorer = known.scorers["binary"]
    columns = {name: values * 6 for name, values in made().items()}
    assert len(columns["size"]) > CHUNK_ROWS
    check_same(scorer, columns, case)


@pytest.mark.parametrize("task", PATHS)
def test_a_pipeline_that_was_not_compiled_answers_batches_too(task: str) -> None:
    path = PATHS[task]
    case = allowing(task, path, {})
    asked = pipeline_scorer(fitted(case, FEW.get(path, {})), case)
    whole = {name: values * 6 for name, values in made().items()}
    for n_rows in (1, 50, CHUNK_ROWS + 1):
        columns = {name: whole[name][:n_rows] for name in case.inputs}
        check_same(asked, columns, case)
        check_same(asked, columns, case, n_rows // 2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.fixed_dictionaries(SANE), min_size=1, max_size=4))
def test_a_pipeline_answers_any_rows_to_the_bit(asked: Scorer, rows: list[dict[str, Any]]) -> None:
    columns = {name: [row[name] for row in rows] for name in ROW}
    check_same(asked, columns, declared("binary", f"{TREES}Classifier"))


def test_no_finite_number_is_no_answer(known: Known) -> None:
    case, scorer = known.scorers["regression"]
    columns = {name: values[:3] for name, values in made().items()}
    for nothing in (np.full((3, 1), np.nan), np.zeros((2, 1)), np.zeros((3, 2))):
        with pytest.raises(Refused, match="no usable answer"):
            score_batch(
                Scorer(scorer.features, (), lambda _, said=nothing: said),  # type: ignore[misc]
                batch(columns, case),
                case,
            )


def moments(first: datetime, step: timedelta) -> Sequence[datetime]:
    return [first + n * step for n in range(40)]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu", "Africa/Monrovia"])
@pytest.mark.parametrize(
    ("first", "step"),
    [
        (datetime(1970, 1, 3, tzinfo=UTC), timedelta(hours=1)),
        (datetime(1972, 1, 6, 20, tzinfo=UTC), timedelta(hours=1)),  # Monrovia's clock was put on
        (datetime(2024, 3, 10, 4, tzinfo=UTC), timedelta(minutes=7, microseconds=1)),
        (datetime(2024, 11, 3, 4, tzinfo=UTC), timedelta(minutes=7)),
        (datetime(2009, 12, 25, tzinfo=UTC), timedelta(hours=11)),  # ISO weeks of another year
        (datetime(2036, 12, 30, tzinfo=UTC), timedelta(hours=5)),
        (datetime(1, 1, 1, tzinfo=UTC), timedelta(hours=1)),
    ],
)
def test_parts_of_times_are_those_of_single_times(
    zone: str, first: datetime, step: timedelta
) -> None:
    parts = tuple((name, part.of) for name, part in PARTS.items())
    derive = FeatureDerivation(("at",), ZoneInfo(zone), (("at", parts),), ())
    times = [*moments(first, step), None]
    found = derived_columns({"at": pa.array(times, TYPES["timestamp"])}, derive)
    expected = derive({"at": times})
    assert {n: found[n].to_pylist() for n in PARTS} == {n: list(expected[n]) for n in PARTS}


def test_columns_without_a_time_have_no_parts() -> None:
    parts = (("hour", PARTS["hour"].of),)
    derive = FeatureDerivation(("at",), ZoneInfo("UTC"), (("at", parts),), ())
    for times in ([], [None, None]):
        found = derived_columns({"at": pa.array(times, TYPES["timestamp"])}, derive)
        assert found["hour"].to_pylist() == times
