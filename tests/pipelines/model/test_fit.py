"""A fit with weights is a fit to rows that stand as often as they weigh."""

from pathlib import Path

import numpy as np
import pytest

from contract.errors import BadInput, Refused
from contract.store.frames import feature_frame, feature_table
from contract.unforeseen import sentence
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from pipelines.model.baseline import baseline
from pipelines.model.fit import fit_pipeline
from pipelines.model.fitted import load_model, score, weights
from serving.protocols.openapi_rows import row_schema
from serving.requests.columns import check, transpose
from serving.scoring.sklearn_scorer import MODEL_FILE
from tests.support.compiled import DECLARED, N_ROWS, TARGETS, allowing, answers, fitted, made


def weighed(task: str, path: str, column: str = "{type: number, min: 0}") -> UseCase:
    text = DECLARED.format(task=task, target=TARGETS[task], path=path)
    text = text.replace("columns:\n", f"weight: mass\ncolumns:\n  mass: {column}\n")
    return parse_use_case(text, "made.yaml", Path())


@pytest.mark.parametrize(
    ("task", "path", "parameters"),
    [
        ("binary", "sklearn.linear_model.LogisticRegression", {"tol": 1e-10, "max_iter": 5000}),
        ("multiclass", "sklearn.tree.DecisionTreeClassifier", {"max_depth": 3}),
        ("regression", "sklearn.tree.DecisionTreeRegressor", {"max_depth": 3}),
    ],
)
def test_a_weight_is_a_repetition(task: str, path: str, parameters: dict[str, float]) -> None:
    case = weighed(task, path)
    frame = feature_frame(feature_table(made(), case), case)
    target = answers(task, made())
    mass = np.random.default_rng(4).integers(1, 4, N_ROWS)
    at = np.repeat(np.arange(N_ROWS), mass)
    # The encoder sees the same rows in both: it knows no weights.
    one = fit_pipeline(case, parameters, frame, target, mass.astype(float))
    matrix = one[0].transform(frame)
    again = type(one[-1])(**one[-1].get_params()).fit(matrix[at], target[at])
    plain = fit_pipeline(case, parameters, frame, target)
    asked = "predict" if task == "regression" else "predict_proba"
    said, expected, other = (getattr(m, asked)(matrix) for m in (one[-1], again, plain[-1]))
    assert said == pytest.approx(expected, abs=1e-4)
    assert said != pytest.approx(other, abs=1e-4)


def test_answers_carry_the_weights_and_the_constant_is_weighed_too() -> None:
    case = weighed("regression", "sklearn.linear_model.Ridge")
    target = answers("regression", made())
    mass = np.where(target > 2, 5.0, 0.5)
    rows = feature_table(made(), case).append_column("answer", [target])
    rows = rows.append_column("mass", [mass])
    found = weights(rows, case)
    model = fit_pipeline(case, {}, feature_frame(rows, case), target, found)
    scored = score(model, rows, case)
    assert scored.weight is not None
    assert scored.weight.tolist() == mass.tolist()
    light, heavy = (baseline(target, scored, case, w).prediction[0] for w in (None, found))
    assert heavy > light


def test_rows_that_weigh_nothing_are_refused() -> None:
    case = weighed("binary", "sklearn.linear_model.LogisticRegression")
    frame = feature_frame(feature_table(made(), case), case)
    with pytest.raises(Refused, match="weight: mass is zero in all of 400 rows"):
        fit_pipeline(case, {}, frame, answers("binary", made()), np.zeros(N_ROWS))


def test_rows_of_one_class_are_refused_with_what_the_estimator_says() -> None:
    case = allowing("binary", "sklearn.linear_model.LogisticRegression", {})
    frame = feature_frame(feature_table(made(), case), case)
    one = np.full(N_ROWS, answers("binary", made())[0])
    with pytest.raises(
        Refused, match=r"LogisticRegression can't be fitted to 400 rows: .* classes"
    ):
        fit_pipeline(case, {}, frame, one)


def test_what_a_class_of_ones_own_says_of_a_row_is_for_its_trace(home: Path) -> None:
    (home / "mine.py").write_text(
        "from sklearn.linear_model import Ridge\nclass Mine(Ridge):\n"
        "    def fit(self, X, y):\n        raise ValueError(f'4711 {X[0]}')\n"
    )
    case = allowing("regression", "mine:Mine", {})
    source = case.source.model_copy(update={"folder": str(home)})
    with pytest.raises(ValueError, match="4711") as failed:
        fitted(case.model_copy(update={"source": source}), {})
    assert "4711" not in sentence(failed.value)


def test_callers_may_leave_the_weight_out() -> None:
    case = weighed("binary", "sklearn.linear_model.LogisticRegression")
    assert "mass" not in case.features
    assert "mass" not in row_schema(case)["required"]
    row = {name: values[0] for name, values in made().items()}
    for sent in (row, row | {"mass": 2.5}):
        checked = check(transpose([sent]), case)
        assert checked.features == {name: [value] for name, value in row.items()}


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("{type: string}", "must be a number and not nullable"),
        ("{type: number, nullable: true, min: 0}", "must be a number and not nullable"),
        ("{type: number}", "must declare a min of 0 or more"),
        ("{type: number, min: -1}", "must declare a min of 0 or more"),
    ],
)
def test_what_is_no_weight_is_refused(column: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        weighed("binary", "sklearn.linear_model.LogisticRegression", column)


def test_a_weight_that_is_no_column_is_named() -> None:
    text = DECLARED.format(task="binary", target="boolean", path="sklearn.linear_model.Ridge")
    with pytest.raises(BadInput, match="weight: no column 'weigth' is declared; did you mean"):
        parse_use_case(
            text.replace("columns:\n", "weight: weigth\ncolumns:\n"), "made.yaml", Path()
        )


def test_a_model_that_is_none_is_refused_with_its_place(home: Path) -> None:
    for content in (b"no model", b"", b"PK\x05\x06" + bytes(18)):  # the last: nothing packed
        (home / MODEL_FILE).write_bytes(content)
        with pytest.raises(Refused, match=f"The model at {home} can't be used: {MODEL_FILE} can't"):
            load_model(str(home))
