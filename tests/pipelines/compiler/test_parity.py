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
