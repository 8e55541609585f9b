"""Encodings as declared: what each makes of a column, for which estimators, and at what size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from contract.errors import BadInput, Refused
from contract.store.frames import feature_frame, feature_table
from contract.use_case.loader import frozen, parse_frozen, parse_use_case
from contract.use_case.model import UseCase
from pipelines.model.estimator import build_estimator
from pipelines.model.preprocess import build_encoder, is_sparse, matrix_widths
from serving.scoring.agreement import compare
from serving.scoring.leaf_masks import LeafMasks
from serving.scoring.scorer import Graph
from serving.scoring.sklearn_scorer import pipeline_scorer
from serving.scoring.trusted_types import TRUSTED_TYPES
from tests.support.compiled import DECLARED, N_ROWS, TARGETS, compiled, fitted, made

BOOSTING, LINEAR = (
    "sklearn.ensemble.HistGradientBoosting",
    "sklearn.linear_model.LogisticRegression",
)
ENDS = {"binary": "Classifier", "multiclass": "Classifier", "regression": "Regressor"}


def encoding(task: str, path: str, place: str, colour: str = "") -> UseCase:
    """The made use case with more words on its two text columns."""
    text = DECLARED.format(task=task, target=TARGETS[task], path=path)
    text = text.replace("place: {type: string}", f"place: {{type: string{place}}}")
    text = text.replace(
        "colour: {type: string, nullable: true}",
        f"colour: {{type: string, nullable: true{colour}}}",
    )
    return parse_use_case(text, "made.yaml", Path())


@pytest.mark.parametrize("task", ENDS)
@pytest.mark.parametrize(
    ("place", "colour"),
    [
        (", encode: target", ", encode: target"),
        (", encode: ordinal, max_categories: 20", ", encode: one-hot"),
        (", encode: one-hot, max_categories: 12", ", encode: ordinal, categories: [e, d, c, b, a]"),
        (", max_categories: 30", ""),
    ],
)
@pytest.mark.parametrize("path", [BOOSTING, "linear"])
def test_it_is_compiled_and_answers_alike(
    home: Path, path: str, task: str, place: str, colour: str
) -> None:
    linear = "sklearn.linear_model.RidgeCV" if task == "regression" else LINEAR
    case = encoding(task, linear if path == "linear" else path + ENDS[task], place, colour)
    model = fitted(case, {} if path == "linear" else {"max_iter": 5})
    scorer = compiled(model, case, home)
    assert isinstance(scorer.run, Graph | LeafMasks)
    rows = made(seed=3) | {"colour": ["ultra", None] * (N_ROWS // 2)}
    again = skops.io.loads(skops.io.dumps(model), trusted=list(TRUSTED_TYPES))
    assert compare(scorer.score(rows), pipeline_scorer(again, case).score(rows)).holds


@pytest.mark.parametrize("path", ["lightgbm.LGBMClassifier", "xgboost.XGBClassifier"])
def test_boosted_trees_know_categories_as_such(path: str) -> None:
    case = encoding("binary", path, ", encode: ordinal")
    booster = fitted(case, {"n_estimators": 3})[-1]
    if path.startswith("xgboost"):
        kinds = booster.feature_types
    else:
        at = booster.booster_.dump_model()["feature_infos"]
        kinds = ["c" if f["values"] else "q" for f in at.values()]
    assert kinds == ["c"] + ["q"] * 6, "colour is a category, place an ordinal number"


def test_rare_values_share_a_column_and_unseen_ones_join_them() -> None:
    case = encoding("binary", LINEAR, ", max_categories: 12")
    encode = fitted(case, {})[0]
    hot = encode.named_transformers_["one-hot 12"]
    (names,) = [hot.get_feature_names_out()]
    assert len(names) == 12
    assert names[-1].endswith("infrequent_sklearn")
    assert hot.transform(pd.DataFrame({"place": ["never seen"]}))[0].tolist() == [0.0] * 11 + [1.0]


def test_declared_categories_keep_their_order() -> None:
    case = encoding("binary", LINEAR, "", ", encode: ordinal, categories: [e, d, c, b, a]")
    encode = fitted(case, {})[0]
    assert encode.named_transformers_["ordinal"][0].categories_[0].tolist() == list("edcba")


MANY = {"place": 20_000, "colour": 6}
SIZES: list[tuple[str, str, int, bool | str]] = [
    (LINEAR, "", 10_000, False),
    (LINEAR, "", 2_000_000, True),
    (BOOSTING + "Classifier", "", 2_000_000, False),
    ("sklearn.naive_bayes.GaussianNB", "", 200_000, False),
    ("sklearn.naive_bayes.GaussianNB", ", max_categories: 30", 2_000_000, False),
    ("sklearn.naive_bayes.GaussianNB", "", 2_000_000, "max_categories: 56 or encode: target"),
    ("sklearn.naive_bayes.GaussianNB", ", encode: target", 2_000_000, False),
    ("sklearn.naive_bayes.GaussianNB", "", 20_000_000, "one; encode: target"),
    (BOOSTING + "Classifier", ", encode: one-hot", 2_000_000, "takes no sparse one"),
]


@pytest.mark.parametrize(("path", "place", "n_rows", "sparse"), SIZES)
def test_the_size_is_known_before_anything_is_allocated(
    path: str, place: str, n_rows: int, sparse: bool | str
) -> None:
    case = encoding("binary", path, place)
    estimator = build_estimator(case, {})
    if isinstance(sparse, str):
        with pytest.raises(Refused, match=r"columns\.place: ") as refused:
            is_sparse(case, estimator, n_rows, MANY)
        assert sparse in str(refused.value)
    else:
        assert is_sparse(case, estimator, n_rows, MANY) == sparse


def test_a_sparse_matrix_gives_the_same_model() -> None:
    case = encoding("binary", LINEAR, "")
    estimator = build_estimator(case, {})
    model = fitted(case, {})
    frame = feature_frame(feature_table(made(), case), case)
    dense, sparse = (build_encoder(case, estimator, s).fit_transform(frame) for s in (False, True))
    assert np.array_equal(sparse.toarray(), dense)
    widths = matrix_widths(case, estimator, {"place": 300, "colour": 6})
    assert (widths["place"], widths["size"]) == (254, 1)
    assert model[-1].coef_.shape[1] == dense.shape[1]


@pytest.mark.parametrize(
    ("path", "parameters", "seen"),
    [
        (BOOSTING + "Classifier", {"monotonic_cst": {"size": 1, "floor": -1}}, "monotonic_cst"),
        ("lightgbm.LGBMClassifier", {"monotone_constraints": {"size": 1}}, "monotone_constraints"),
        ("xgboost.XGBClassifier", {"monotone_constraints": {"size": 1}}, "monotone_constraints"),
        (
            "sklearn.ensemble.RandomForestClassifier",
            {"monotonic_cst": {"size": 1}},
            "monotonic_cst",
        ),
    ],
)
def test_a_constraint_holds_for_the_column_that_it_names(
    path: str, parameters: dict[str, Any], seen: str
) -> None:
    case = encoding("binary", path, "")
    model = fitted(
        case, parameters | ({"max_iter": 5} if path.startswith(BOOSTING) else {"n_estimators": 5})
    )
    names = ["size", "weight", "flag", "rooms", "floor"]
    found = model[-1].get_params()[seen]
    assert dict(zip(names, found[-5:], strict=True))["size"] == 1
    rows = {name: values[:30] for name, values in made(seed=3).items()}
    steps = [
        [
            chance
            for _, chance in pipeline_scorer(model, case)
            .score(rows | {"size": [at] * 30})
            .probability
            or []
        ]
        for at in (-2.0, -1.0, 0.0, 1.0, 2.0)
    ]
    assert (np.diff(np.array(steps), axis=0) >= 0).all()


def test_a_constraint_of_no_single_number_is_refused() -> None:
    case = encoding("binary", BOOSTING + "Classifier", "")
    with pytest.raises(BadInput, match="'colour' is constrained and is no column"):
        fitted(case, {"monotonic_cst": {"colour": 1}})


@pytest.mark.parametrize(
    ("task", "given", "found"),
    [
        ("binary", {True: 3, False: 1}, {True: 3, False: 1}),
        ("binary", "balanced", "balanced"),
        ("multiclass", {"x": 1, "y": 2, "z": 0.5}, {"x": 1, "y": 2, "z": 0.5}),
    ],
)
def test_weights_of_classes_are_of_the_target_s_type(task: str, given: Any, found: Any) -> None:
    text = DECLARED.format(task=task, target=TARGETS[task], path=LINEAR)
    declared = text.replace(
        "estimator: {path", f"estimator: {{parameters: {{class_weight: {json.dumps(given)}}}, path"
    )
    case = parse_use_case(
        declared.replace('"true"', "true").replace('"false"', "false"), "m", Path()
    )
    assert build_estimator(case, case.estimator.parameters).get_params()["class_weight"] == found
    assert fitted(case, case.estimator.parameters)[-1].classes_.size
    again = parse_frozen(frozen(case), Path())
    assert again.estimator == case.estimator, "a version's copy says the same"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("columns: {size: {type: number, encode: target}}", "encode belongs to a string column"),
        ("columns: {size: {type: number, max_categories: 9}}", "max_categories belongs to"),
        ("columns: {c: {type: string, encode: target, max_categories: 9}}", "no target encoding"),
        ("columns: {c: {type: string, encode: onehot}}", "'one-hot', 'ordinal' or 'target'"),
    ],
)
def test_what_means_nothing_is_refused(words: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse_use_case(words, "made.yaml", Path())
