from pathlib import Path

from pipelines.model.families import family_of
from serving.scoring.agreement import compare
from serving.scoring.sklearn_scorer import pipeline_scorer
from tests.support.compiled import compiled, declared, fitted, made


def test_it_answers_like_the_pipeline(home: Path) -> None:
    use_case = declared("regression", "sklearn.cross_decomposition.PLSRegression")
    family = family_of(use_case.estimator)
    assert family is not None
    assert family.served == "compiled"
    model = fitted(use_case, {})
    expected = pipeline_scorer(model, use_case).score(made(seed=3))
    found = compiled(model, use_case, home).score(made(seed=3))
    assert compare(found, expected).max_difference <= 1e-9
