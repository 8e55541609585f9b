"""The proof finds what random rows don't, and arbitrary rows are answered like the pipeline's."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from contract.use_case.model import UseCase
from pipelines.compiler.compile import CompiledScorer, compile_pipeline
from pipelines.compiler.parity import prove
from serving.scoring.agreement import compare
from serving.scoring.scorer import Scorer, open_scorer
from serving.scoring.sklearn_scorer import pipeline_scorer
from tests.support.compiled import declared, fitted, made

MODELS = {
    "histograms": ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 20}),
    "forest": ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 10}),
    "linear": ("sklearn.linear_model.LogisticRegression", {}),
    "lightgbm": ("lightgbm.LGBMClassifier", {"n_estimators": 10, "verbose": -1}),
}


@dataclass(frozen=True)
class Both:
    """A compiled model beside its pipeline."""

    use_case: UseCase
    compiled: CompiledScorer
    scorer: Scorer
    pipeline: Scorer


@pytest.fixture(scope="module", params=MODELS)
def both(request: pytest.FixtureRequest) -> Both:
    path, parameters = MODELS[request.param]
    use_case = declared("multiclass", path)
    model = fitted(use_case, parameters)
    compiled = compile_pipeline(model, use_case)
    scorer = opened(compiled, compiled.graph)
    return Both(use_case, compiled, scorer, pipeline_scorer(model, use_case))


def opened(compiled: CompiledScorer, graph: onnx.ModelProto) -> Scorer:
    return open_scorer(compiled.plan(), graph.SerializeToString())


def test_the_proof_covers_every_kind_of_edge(both: Both) -> None:
    splits = both.compiled.thresholds
    proof = prove(both.scorer, both.pipeline, both.use_case, made(seed=2), splits)
    assert proof.holds
    kinds = {"holdout", "nulls", "unseen categories"}
    assert set(proof.cases) == (kinds | {"splits"} if splits else kinds)
    assert proof.max_difference < 1e-14


def test_splits_rounded_to_float32_are_found_by_rows_beside_them() -> None:
    use_case = declared("regression", "sklearn.ensemble.HistGradientBoostingRegressor")
    model = fitted(use_case, {"max_iter": 20})
    compiled, pipeline = compile_pipeline(model, use_case), pipeline_scorer(model, use_case)
    rounded = onnx.ModelProto()
    rounded.CopyFrom(compiled.graph)
    attributes = {a.name: a for a in rounded.graph.node[0].attribute}
    splits = numpy_helper.to_array(attributes["nodes_splits"].t)
    near = numpy_helper.from_array(splits.astype(np.float32).astype(np.float64))
    attributes["nodes_splits"].t.CopyFrom(near)
    proof = prove(opened(compiled, rounded), pipeline, use_case, made(2), compiled.thresholds)
    assert proof.cases["holdout"].holds
    assert not proof.cases["splits"].holds
    assert not proof.holds
    assert "splits) the compiled scorer is up to" in proof.line()


def asked(thresholds: dict[str, list[float]]) -> list[dict[str, list[Any]]]:
    """The rows, case by case, on which two scorers are compared."""
    use_case = declared("regression")
    seen: list[dict[str, list[Any]]] = []

    def run(columns: Any) -> Any:
        seen.append({name: list(columns[name]) for name in use_case.features})
        return np.zeros((len(columns["size"]), 1))

    scorer = Scorer(use_case.features, (), run)
    prove(scorer, scorer, use_case, FEW, thresholds)
    return seen


FEW = {name: values[:3] for name, values in made().items()}
SPLITS = [0.1, 0.2, 0.3]
AROUND = {"weight": SPLITS, "floor": [1.5], "size": [float("nan")], "flag": [0.5]}


def neighbours(split: float, kind: type[np.floating[Any]]) -> set[float]:
    ends = (np.nextafter(kind(split), kind(end)) for end in (-np.inf, np.inf))
    return {float(kind(split)), *map(float, ends)}


def test_each_split_is_tried_with_its_neighbours_in_rows_of_the_holdout_in_turn() -> None:
    *_, splits = asked(AROUND)
    n_rows = len(splits["weight"])
    in_turn = {name: [values[i % 3] for i in range(n_rows)] for name, values in FEW.items()}
    changed = [sum(splits[name][i] != in_turn[name][i] for name in FEW) for i in range(n_rows)]
    assert max(changed) == 1
    expected = set().union(*(neighbours(s, k) for s in SPLITS for k in (np.float64, np.float32)))
    assert {*splits["weight"]} - {*FEW["weight"]} == expected
    assert {*splits["floor"]} - {*FEW["floor"]} == {1, 2} - {*FEW["floor"]}
    assert splits["flag"][-2:] == [False, True]
    assert {*splits["size"]} == {*FEW["size"]}  # what is split from null has no neighbours


def test_of_many_splits_the_first_and_the_last_are_among_those_tried() -> None:
    *_, splits = asked({"weight": [float(i) for i in range(1000)]})
    assert {0.0, 999.0} <= {*splits["weight"]}
    assert len({*splits["weight"]} - {*FEW["weight"]}) == 50 * 5


NUMBERS = st.floats(-3e38, 3e38)  # scikit-learn's forests refuse what float32 does not hold
ROW: dict[str, st.SearchStrategy[Any]] = {
    "colour": st.none() | st.sampled_from("abcde") | st.text(),
    "place": st.integers(0, 400).map(str) | st.text(),
    "size": st.none() | NUMBERS | st.floats(-3, 3),
    "weight": NUMBERS | st.floats(-1e-30, 1e-30),
    "flag": st.booleans(),
    "rooms": st.none() | st.integers(-(2**53), 2**53),
    "floor": st.integers(-(2**53), 2**53),
}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries(ROW), min_size=1, max_size=10))
def test_arbitrary_rows_are_answered_like_the_pipeline_answers_them(
    both: Both, rows: list[dict[str, Any]]
) -> None:
    columns = {name: [row[name] for row in rows] for name in both.use_case.features}
    agreement = compare(both.scorer.score(columns), both.pipeline.score(columns))
    assert agreement.max_difference <= 1e-9
    assert agreement.labels_differ == 0
