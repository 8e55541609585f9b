"""Masks of leaves: the numbers that the graph gives to one row, to the last bit."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pipelines.compiler.compile import compile_pipeline
from pipelines.compiler.leaf_masks import leaf_masks
from serving.scoring.leaf_masks import MASKS_FILE
from serving.scoring.scorer import GRAPH_FILE, SCORER_FILE, Scorer, load_scorer, open_scorer
from serving.scoring.version import PARITY_FILE
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


def both(folder: Path, model: Model) -> tuple[Scorer, Scorer]:
    """The scorer that answers by masks, and the one that answers by the graph."""
    path, task, parameters = model
    use_case = declared(task, path)
    scorer = compiled(fitted(use_case, parameters), use_case, folder)
    plan = json.loads((folder / "scorer" / SCORER_FILE).read_text(encoding="utf-8"))
    return scorer, open_scorer(plan, (folder / "scorer" / GRAPH_FILE).read_bytes())


def row(scorer: Scorer, columns: dict[str, list[Any]], at: int) -> dict[str, list[Any]]:
    return {name: [columns[name][at]] for name in scorer.features}


@pytest.mark.parametrize("model", MASKED.values(), ids=MASKED)
def test_masks_answer_as_the_graph_answers_one_row_to_the_last_bit(
    home: Path, model: Model
) -> None:
    scorer, plain = both(home, model)
    assert scorer.run_one
    assert plain.run_one is None
    odd: dict[str, list[Any]] = {
        "size": [None, math.inf, -math.inf, math.nan] * 100,
        "floor": [HUGE, -HUGE, 0, 1] * 100,
    }
    for columns in (made(3), made(4) | odd | {"colour": ["ultra", None, "", "a"] * 100}):
        singly = [plain.run(row(scorer, columns, at))[0].tolist() for at in range(N_ROWS)]
        assert [scorer.run_one(row(scorer, columns, at)) for at in range(N_ROWS)] == singly
        assert scorer.run(columns).tolist() == singly


def test_the_proof_is_of_the_graph_and_of_the_masks(home: Path) -> None:
    both(home, MASKED["categories"])
    proof = json.loads((home / "scorer" / PARITY_FILE).read_text(encoding="utf-8"))
    kinds = {"holdout", "nulls", "unseen categories", "splits"}
    masked = {f"{kind}{how}, by masks" for kind in kinds for how in ("", ", one by one")}
    assert set(proof["cases"]) == kinds | masked


@pytest.mark.parametrize("model", NOT_MASKED.values(), ids=NOT_MASKED)
def test_whatever_else_a_graph_sums_has_no_masks(home: Path, model: Model) -> None:
    assert both(home, model)[0].run_one is None
    assert not (home / "scorer" / MASKS_FILE).exists()


def test_masks_larger_than_a_cache_are_not_made(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.compiler.leaf_masks.MOST_BYTES", 1000)
    assert both(home, next(iter(MASKED.values())))[0].run_one is None


def test_a_value_at_a_split_goes_the_way_of_the_graph() -> None:
    use_case = declared("regression", MASKED["numbers"][0])
    model = fitted(use_case, MASKED["numbers"][2])
    made_of = compile_pipeline(model, use_case)
    masks = leaf_masks(made_of.graph, made_of.inputs)
    assert masks
    graph = made_of.graph.SerializeToString()
    scorer, plain = (open_scorer(made_of.plan(), graph, how) for how in (masks.pack(), None))
    assert scorer.run_one
    for split in made_of.thresholds["weight"]:
        for value in (split, math.nextafter(split, math.inf), math.nextafter(split, -math.inf)):
            one = row(scorer, made(3), 0) | {"weight": [value]}
            answer = plain.run(one)[0].tolist()
            assert scorer.run_one(one) == scorer.run(one)[0].tolist() == answer


def test_masks_that_cannot_be_read_are_told(home: Path) -> None:
    both(home, MASKED["numbers"])
    file = home / "scorer" / MASKS_FILE
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=MASKS_FILE):
        load_scorer(home / "scorer")
