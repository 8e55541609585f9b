"""Every estimator of scikit-learn compiles, or is served as it is, or is refused by name."""

import io
from typing import Any

import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from contract.errors import Refused
from contract.use_case.model import UseCase
from pipelines.compiler.compile import compile_pipeline
from pipelines.model.families import TABLE, family_of
from pipelines.model.refusal import check_rows, refusal
from serving.scoring.agreement import compare
from serving.scoring.sklearn_scorer import pipeline_scorer
from serving.scoring.trusted_types import TRUSTED_TYPES
from tests.support.compiled import allowing, declared, fitted, made

RIDGE, LOGISTIC = ({"path": f"sklearn.linear_model.{n}"} for n in ("Ridge", "LogisticRegression"))
SMALL: dict[str, dict[str, Any]] = {
    "AdaBoost": {"n_estimators": 2},
    "Bagging": {"n_estimators": 2},
    "ExtraTrees": {"n_estimators": 2},
    "GradientBoosting": {"n_estimators": 2},
    "HistGradientBoosting": {"max_iter": 2},
    "LogisticRegressionCV": {
        "Cs": 2,
        "cv": 2,
        "l1_ratios": [0],
        "scoring": "accuracy",
        "use_legacy_attributes": False,
    },
    "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
    "MLP": {"max_iter": 5, "hidden_layer_sizes": [4, 3], "tol": 10.0},
    "OneVsRest": {"estimator": LOGISTIC},
    "RandomForest": {"n_estimators": 2},
    "SGDClassifier": {"loss": "log_loss"},
    "StackingClassifier": {"estimators": [["a", LOGISTIC]], "final_estimator": LOGISTIC},
    "StackingRegressor": {"estimators": [["a", RIDGE]], "final_estimator": RIDGE},
    "VotingClassifier": {"estimators": [["a", LOGISTIC]], "voting": "soft"},
    "VotingRegressor": {"estimators": [["a", RIDGE]]},
}
SHIPPED = [
    (name, f"{kind.__module__}.{name}", task)
    for task, end in (("multiclass", "classifier"), ("regression", "regressor"))
    for name, kind in all_estimators(end)
]


def small(name: str) -> dict[str, Any]:
    """Parameters with which it is fitted in milliseconds."""
    return next((p for start, p in SMALL.items() if name.startswith(start)), {})


@pytest.mark.parametrize(("name", "path", "task"), SHIPPED)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_compiles_or_is_served_or_is_refused(name: str, path: str, task: str) -> None:
    case = allowing(task, path, small(name))
    reason = refusal(case)
    assert ("sklearn", name) in TABLE, "a new estimator needs its line in the table"
    served = TABLE["sklearn", name].served
    if served == "refused" or name in ("SVC", "NuSVC"):
        assert reason, "it is in no other way of use"
        assert path in reason
        return
    assert reason is None
    model = fitted(case, small(name))
    assert family_of(case.estimator) is TABLE["sklearn", name]
    again = skops.io.load(io.BytesIO(skops.io.dumps(model)), trusted=list(TRUSTED_TYPES))
    rows = {column: values[:60] for column, values in made(seed=3).items()}
    answers = pipeline_scorer(model, case).score(rows)
    assert compare(pipeline_scorer(again, case).score(rows), answers).holds
    assert compiles(model, case) == (served == "compiled")


BINARY = "sklearn.linear_model.LogisticRegression"
SAID: list[tuple[str, str, dict[str, Any], str]] = [
    ("binary", "sklearn.linear_model.Ridge", {}, "is no classifier, which task binary needs"),
    ("regression", BINARY, {}, "is no regressor"),
    ("binary", "sklearn.svm.SVC", {}, "CalibratedClassifierCV with parameters: {estimator: {path"),
    ("binary", "sklearn.linear_model.SGDClassifier", {}, "answers no probabilities"),
    ("binary", "sklearn.linear_model.RidgeClassifier", {}, "LogisticRegression can"),
    ("binary", "sklearn.preprocessing.StandardScaler", {}, "is no classifier"),
    ("binary", "sklearn.linear_model.Nothing", {}, "can't be loaded"),
    ("binary", "json.JSONDecoder", {}, "is no scikit-learn estimator"),
    ("binary", BINARY, {"C": -1}, "The 'C' parameter of LogisticRegression must be a float"),
    ("binary", BINARY, {"D": 1}, "does not take them"),
    ("binary", BINARY, {"class_weight": {"maybe": 1}}, "names the class 'maybe'"),
    ("multiclass", "xgboost.XGBClassifier", {}, "knows no classes that are text"),
    ("binary", "mlflow.pyfunc.PythonModel", {}, "is no scikit-learn estimator"),
    ("binary", "sklearn.ensemble.VotingClassifier", {}, "does not take them"),
    (
        "binary",
        "sklearn.ensemble.HistGradientBoostingClassifier",
        {"monotonic_cst": {"sise": 1}},
        "in 'sise', no column that stays one number; did you mean 'size'?",
    ),
    ("binary", "nowhere:Mine", {}, "needs the file"),
]


@pytest.mark.parametrize(("task", "path", "parameters", "said"), SAID)
def test_the_reason_says_what_would_be_right(
    task: str, path: str, parameters: dict[str, Any], said: str
) -> None:
    assert said in str(refusal(allowing(task, path, parameters)))


def test_what_does_not_compile_needs_the_word_of_the_use_case() -> None:
    path = "sklearn.neighbors.KNeighborsClassifier"
    assert refusal(allowing("binary", path, {})) is None
    reason = str(refusal(declared("binary", path)))
    assert "serving: {allow_sklearn: true}" in reason
    assert "HistGradientBoostingClassifier compiles" in reason


def test_what_compares_all_rows_takes_only_so_many() -> None:
    case = allowing("regression", "sklearn.kernel_ridge.KernelRidge", {})
    check_rows(case, 10_000)
    with pytest.raises(Refused, match="takes 10,000 rows at most, found 2,000,000"):
        check_rows(case, 2_000_000)


def test_more_categories_than_bins_are_refused() -> None:
    case = allowing("binary", "sklearn.ensemble.HistGradientBoostingClassifier", {"max_bins": 9})
    colour = case.columns["colour"].model_copy(update={"max_categories": 10})
    many = case.model_copy(update={"columns": case.columns | {"colour": colour}})
    assert refusal(case) is None
    assert "at most 9 categories apart, and columns.colour declares" in str(refusal(many))


def test_weights_are_refused_by_who_takes_none() -> None:
    knn, logistic = ("sklearn.neighbors.KNeighborsClassifier", BINARY)
    case = allowing("binary", knn, {}).model_copy(update={"weight": "size"})
    assert "takes no weights, and weight: size is declared" in str(refusal(case))
    assert refusal(allowing("binary", logistic, {}).model_copy(update={"weight": "size"})) is None


def compiles(model: Pipeline, case: UseCase) -> bool:
    try:
        compile_pipeline(model, case)
    except Refused:
        return False
    return True
