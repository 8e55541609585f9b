"""Every encoder becomes columns that hold exactly what it gives."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from contract.errors import Refused
from contract.store.frames import feature_frame, feature_table
from pipelines.compiler.compile import compile_pipeline
from serving.scoring.agreement import compare
from serving.scoring.sklearn_scorer import pipeline_scorer
from tests.support.compiled import N_ROWS, answers, compiled, declared, made


def encoded(*steps: Any, estimator: Any) -> Pipeline:
    """An unfitted pipeline of encoders before an estimator."""
    return Pipeline(
        [*((f"step{i}", step) for i, step in enumerate(steps)), ("estimator", estimator)]
    )


def by_columns(*parts: tuple[Any, list[str]], remainder: str = "drop") -> ColumnTransformer:
    named = [(f"part{i}", step, columns) for i, (step, columns) in enumerate(parts)]
    return ColumnTransformer(named, remainder=remainder, sparse_threshold=0)


def by_numbers(step: Any, columns: list[int]) -> ColumnTransformer:
    return ColumnTransformer([("some", step, columns)], remainder="passthrough", sparse_threshold=0)


TEXT, NUMBERS = ["colour", "place"], ["size", "weight", "flag", "rooms", "floor"]
WHOLE = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
ENCODERS = {
    "ordinal, few categories kept": [
        by_columns(
            (
                OrdinalEncoder(
                    handle_unknown="use_encoded_value",
                    unknown_value=-1,
                    encoded_missing_value=-2,
                    max_categories=10,
                ),
                TEXT,
            )
        )
    ],
    "ordinal with missing and unseen, then imputed and scaled": [
        by_columns(
            (
                make_pipeline(
                    OrdinalEncoder(
                        handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=3
                    ),
                    SimpleImputer(strategy="median", add_indicator=True),
                    StandardScaler(),
                ),
                TEXT,
            )
        )
    ],
    "one-hot, unseen is nothing": [by_columns((OneHotEncoder(handle_unknown="ignore"), TEXT))],
    "one-hot, rare together, first dropped": [
        by_columns(
            (
                OneHotEncoder(
                    handle_unknown="infrequent_if_exist",
                    min_frequency=3,
                    drop="first",
                    sparse_output=False,
                ),
                TEXT,
            )
        )
    ],
    "one-hot, then scaled": [
        by_columns(
            (
                make_pipeline(
                    OneHotEncoder(handle_unknown="ignore", max_categories=5, sparse_output=False),
                    StandardScaler(),
                ),
                TEXT,
            )
        )
    ],
    "text imputed, then one-hot": [
        by_columns(
            (
                make_pipeline(
                    SimpleImputer(missing_values=None, strategy="most_frequent"),
                    OneHotEncoder(handle_unknown="ignore"),
                ),
                TEXT,
            )
        )
    ],
    "text imputed by a constant, then ordinal": [
        by_columns(
            (
                make_pipeline(
                    SimpleImputer(missing_values=None, strategy="constant", fill_value="none"),
                    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                ),
                TEXT,
            )
        )
    ],
    "whether text is missing, and a column twice": [
        by_columns(
            (
                make_pipeline(
                    SimpleImputer(
                        missing_values=None, strategy="most_frequent", add_indicator=True
                    ),
                    by_numbers(OneHotEncoder(handle_unknown="ignore"), [0]),
                ),
                ["colour"],
            ),
            ("passthrough", ["weight"]),
            ("passthrough", ["floor", "weight"]),
        )
    ],
    "text whose null the imputer does not look for": [
        by_columns(
            (
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
                ),
                TEXT,
            )
        )
    ],
    "null of ordinal text imputed, and whether it was": [
        by_columns(
            (
                make_pipeline(
                    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                    SimpleImputer(strategy="mean", add_indicator=True),
                ),
                ["colour"],
            )
        )
    ],
    "numbers as categories": [
        by_columns(
            (OneHotEncoder(handle_unknown="ignore"), ["rooms", "floor"]),
            (
                OrdinalEncoder(
                    handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-5
                ),
                ["rooms"],
            ),
        )
    ],
    "means of the target, of text and of numbers": [
        by_columns((TargetEncoder(cv=2, target_type="continuous"), [*TEXT, "rooms"]))
    ],
    "numbers imputed and scaled twice over": [
        by_columns(
            (
                make_pipeline(
                    StandardScaler(),
                    SimpleImputer(strategy="constant", fill_value=3),
                    StandardScaler(with_mean=False),
                ),
                NUMBERS,
            )
        )
    ],
    "a column transformer in a column transformer, the rest passed through": [
        by_columns(
            (WHOLE, ["size", "rooms"]),
            (
                by_columns((OneHotEncoder(handle_unknown="ignore"), ["colour"]), remainder="drop"),
                ["colour", "place"],
            ),
            ("passthrough", ["weight"]),
            remainder="drop",
        ),
        "passthrough",
        FunctionTransformer(),
    ],
    "after a column transformer, columns by number": [
        by_columns((WHOLE, NUMBERS)),
        by_numbers(StandardScaler(with_std=False), [2, 0]),
    ],
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_is_told_exactly(home: Path, name: str) -> None:
    use_case = declared("regression")
    frame = feature_frame(feature_table(made(), use_case), use_case)
    model = encoded(*ENCODERS[name], estimator=Ridge()).fit(frame, answers("regression", made()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn tells of unseen categories
        scorer = compiled(model, use_case, home)
        rows = made(seed=3) | {"colour": ["ultra", None] * (N_ROWS // 2)}
        expected = pipeline_scorer(model, use_case).score(rows)
    assert compare(scorer.score(rows), expected).max_difference <= 1e-12


def test_means_of_several_classes_are_told_exactly(home: Path) -> None:
    use_case = declared("multiclass", "sklearn.linear_model.LogisticRegression")
    frame = feature_frame(feature_table(made(), use_case), use_case)
    means = by_columns((TargetEncoder(cv=2, target_type="multiclass"), TEXT))
    model = encoded(means, estimator=LogisticRegression())
    model.fit(frame, answers("multiclass", made()))
    rows = made(seed=3) | {"colour": ["ultra", None] * (N_ROWS // 2)}
    found = compiled(model, use_case, home).score(rows)
    assert compare(found, pipeline_scorer(model, use_case).score(rows)).max_difference <= 1e-12


def test_a_column_of_which_nothing_is_known_is_left_out(home: Path) -> None:
    use_case = declared("regression")
    unknown = made() | {"size": [None] * N_ROWS}
    frame = feature_frame(feature_table(unknown, use_case), use_case)
    model = encoded(by_columns((SimpleImputer(), NUMBERS)), estimator=Ridge())
    rows = made(seed=3)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping features without any observed values")
        model.fit(frame, answers("regression", made()))
        found = compiled(model, use_case, home).score(rows)
        expected = pipeline_scorer(model, use_case).score(rows)
    assert compare(found, expected).max_difference <= 1e-12


SCALED = ["weight", "floor"]
MOVED = "'weight' is not as it came when it gets here"
REFUSED: dict[str, tuple[list[Any], Any, str]] = {
    "a scaler that is not known": (
        [by_columns((RobustScaler(), SCALED))],
        Ridge(),
        r"Step 'step0/part0' \(RobustScaler\) can't be compiled: it is none of the encoders",
    ),
    "text of digits that is scaled": (
        [by_columns((StandardScaler(), ["place"]))],
        Ridge(),
        r"\(StandardScaler\) can't be compiled: 'place' is text",
    ),
    "an encoder without an answer to unseen values": (
        [by_columns((OneHotEncoder(), ["colour"]))],
        Ridge(),
        r"'step0/part0' \(OneHotEncoder\) .* no answer to an unseen or missing value",
    ),
    "a missing value that is no null": (
        [by_columns((SimpleImputer(missing_values=-1), SCALED))],
        Ridge(),
        "missing_values is -1, only null is known",
    ),
    "categories of scaled numbers": (
        [by_columns((make_pipeline(StandardScaler(), OneHotEncoder()), SCALED))],
        Ridge(),
        MOVED,
    ),
    "categories of numbers that were only shifted": (
        [by_columns((make_pipeline(StandardScaler(with_std=False), OneHotEncoder()), SCALED))],
        Ridge(),
        MOVED,
    ),
    "categories of numbers that were only stretched": (
        [by_columns((make_pipeline(StandardScaler(with_mean=False), OneHotEncoder()), SCALED))],
        Ridge(),
        MOVED,
    ),
    "an estimator that is not known": (
        [by_columns((StandardScaler(), SCALED))],
        KNeighborsRegressor(),
        r"Step 'estimator' \(KNeighborsRegressor\) can't be compiled: it is none of the estimators",
    ),
    "boosting that starts from another model": (
        [by_columns((StandardScaler(), SCALED))],
        GradientBoostingRegressor(n_estimators=2, init=Ridge()),
        "Custom init estimator not supported",
    ),
    "text that nothing encodes": ([], DummyRegressor(), "'colour' gets there as text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_named(name: str) -> None:
    steps, estimator, said = REFUSED[name]
    use_case = declared("regression")
    frame = feature_frame(feature_table(made(), use_case), use_case)
    model = encoded(*steps, estimator=estimator).fit(frame, answers("regression", made()))
    with pytest.raises(Refused, match=said):
        compile_pipeline(model, use_case)
