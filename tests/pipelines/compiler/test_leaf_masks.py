"""Masks of leaves: the numbers that the graph gives to one row, to the last bit."""

import math
from pathlib import Path
from typing import Any

import pytest

from contract.errors import Refused
from pipelines.compiler.compile import compile_pipeline
from pipelines.compiler.leaf_masks import leaf_masks
from serving.scoring.leaf_masks import MASKS_FILE
from serving.scoring.scorer import Scorer, load_scorer, open_scorer
from tests.support.compiled import N_ROWS, compiled, declared, fitted, made

Model = tuple[str, str, dict[str, Any]]
MASKED: dict[str, Model] = {
    "categories": ("sklearn.ensemble.HistGradientBoostingClassifier", "binary", {"max_iter": 30}),
    "numbers": ("sklearn.ensemble.HistGradientBoostingRegressor", "regression", {"max_iter": 30}),
    "another library": ("lightgbm.LGBMClassifier", "binary", {"n_estimators": 15, "verbose": -1}),
    "no splits": (
        "sklearn.ensemble.HistGradientBoostingRegressor",
        "regression",
        {"max_iter": 3, "min_samples_leaf": 300},
    ),
}
NOT_MASKED: dict[str, Model] = {
    "other classes": ("sklearn.ensemble.HistGradientBoostingClassifier", "multiclass", {}),
    "large trees": (
        "sklearn.ensemble.HistGradientBoostingRegressor",
        "regression",
        {"max_leaf_nodes": 33, "min_samples_leaf": 2},
    ),
    "rounded numbers": ("xgboost.XGBRegressor", "regression", {"n_estimators": 3}),
    "a linear model": ("sklearn.linear_model.Ridge", "regression", {}),
}
HUGE = 2**53


def made_scorer(folder: Path, model: Model) -> Scorer:
    path, task, parameters = model
    use_case = declared(task, path)
    return compiled(fitted(use_case, parameters), use_case, folder)


def row(scorer: Scorer, columns: dict[str, list[Any]], at: int) -> dict[str, list[Any]]:
    return {name: [columns[name][at]] for name in scorer.features}


@pytest.mark.parametrize("model", MASKED.values(), ids=MASKED)
def test_masks_answer_one_row_as_the_graph_does_to_the_last_bit(home: Path, model: Model) -> None:
    scorer = made_scorer(home, model)
    assert scorer.run_one
    odd = {"size": [None, math.inf, -math.inf, math.nan] * 100, "floor": [HUGE, -HUGE, 0, 1] * 100}
    for columns in (made(3), made(4) | odd | {"colour": ["ultra", None, "", "a"] * 100}):
        for at in range(N_ROWS):
            one = row(scorer, columns, at)
            assert scorer.run_one(one) == scorer.run(one)[0].tolist()


@pytest.mark.parametrize("model", NOT_MASKED.values(), ids=NOT_MASKED)
def test_whatever_else_a_graph_sums_has_no_masks(home: Path, model: Model) -> None:
    assert made_scorer(home, model).run_one is None
    assert not (home / "scorer" / MASKS_FILE).exists()


def test_a_value_at_a_split_goes_the_way_of_the_graph() -> None:
    use_case = declared("regression", MASKED["numbers"][0])
    model = fitted(use_case, MASKED["numbers"][2])
    made_of = compile_pipeline(model, use_case)
    masks = leaf_masks(made_of.graph, made_of.inputs)
    assert masks
    scorer = open_scorer(made_of.plan(), made_of.graph.SerializeToString(), masks.pack())
    assert scorer.run_one
    for split in made_of.thresholds["weight"]:
        for value in (split, math.nextafter(split, math.inf), math.nextafter(split, -math.inf)):
            one = row(scorer, made(3), 0) | {"weight": [value]}
            assert scorer.run_one(one) == scorer.run(one)[0].tolist()


def test_masks_that_cannot_be_read_are_told(home: Path) -> None:
    made_scorer(home, MASKED["numbers"])
    file = home / "scorer" / MASKS_FILE
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises((ValueError, Refused), match=MASKS_FILE):
        load_scorer(home / "scorer")
