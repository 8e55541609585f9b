"""The baseline answers what scikit-learn's constant models answer."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from contract.statistics.metrics import Scored, metric_values
from contract.use_case.sections.gates import Evaluation
from pipelines.model.baseline import baseline
from tests.conftest import made_use_case
from tests.support.golden import of_two_classes

RANDOM = np.random.default_rng(0)
NOTHING = np.zeros((500, 1))


def test_of_classes_it_answers_their_shares(home: Path) -> None:
    training, y = RANDOM.random(500) < 0.3, RANDOM.random(500) < 0.4
    weight = RANDOM.random(500)
    holdout = Scored(y, y, np.full((500, 2), 0.5), (False, True))
    for counts in (None, weight):
        dummy = DummyClassifier(strategy="prior").fit(NOTHING, training, sample_weight=counts)
        found = baseline(training, holdout, made_use_case(home), counts)
        assert found.probability == pytest.approx(dummy.predict_proba(NOTHING))
        assert found.prediction.tolist() == dummy.predict(NOTHING).tolist()
        expected = of_two_classes(y, dummy.predict_proba(NOTHING)[:, 1])
        figures = metric_values(made_use_case(home), found)
        assert figures == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("metric", "strategy"),
    [("mae", "median"), ("median_absolute_error", "median"), ("rmse", "mean"), ("r2", "mean")],
)
def test_of_numbers_it_answers_what_the_metric_judges_best(
    home: Path, metric: str, strategy: Literal["mean", "median"]
) -> None:
    training = RANDOM.exponential(size=500)
    use_case = made_use_case(home, {"task": "regression", "evaluation": Evaluation(metric=metric)})
    dummy = DummyRegressor(strategy=strategy).fit(NOTHING, training)
    found = baseline(training, Scored(training, training), use_case)
    assert found.prediction == pytest.approx(dummy.predict(NOTHING))
    doubled = baseline(training, Scored(training, training), use_case, np.full(500, 2.0))
    assert doubled.prediction[0] == pytest.approx(found.prediction[0], rel=0.01)
