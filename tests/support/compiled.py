"""Made rows of every kind of column, and models fitted to them, for tests of compiled scorers."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from contract.store.frames import feature_frame, feature_table
from contract.use_case.features import Columns
from contract.use_case.loader import parse_use_case
from contract.use_case.model import UseCase
from contract.use_case.sections.serving import Serving
from pipelines.compiler.compile import write_scorer
from pipelines.model.fit import fit_pipeline
from serving.scoring.scorer import Scorer, load_scorer

N_ROWS = 400
TARGETS = {"binary": "boolean", "multiclass": "string", "regression": "number"}
DECLARED = """
name: made
title: Made
task: {task}
source: {{csv: rows.csv}}
keys: [id]
target: answer
columns:
  id: {{type: integer}}
  answer: {{type: {target}}}
  colour: {{type: string, nullable: true}}
  place: {{type: string}}
  size: {{type: number, nullable: true}}
  weight: {{type: number}}
  flag: {{type: boolean}}
  rooms: {{type: integer, nullable: true}}
  floor: {{type: integer}}
split: {{by: random}}
estimator: {{path: {path}}}
evaluation: {{metric: mae}}
"""


def declared(task: str, path: str = "sklearn.linear_model.Ridge") -> UseCase:
    text = DECLARED.format(task=task, target=TARGETS[task], path=path)
    return parse_use_case(text, "made.yaml", Path())


def allowing(task: str, path: str, parameters: dict[str, Any]) -> UseCase:
    """The made use case with few columns, whatever an estimator does with them."""
    case = declared(task, path)
    names = ("id", "answer", "colour", "size", "flag")
    case = case.model_copy(update={"columns": {name: case.columns[name] for name in names}})
    estimator = case.estimator.model_copy(update={"parameters": parameters})
    return case.model_copy(update={"estimator": estimator, "serving": Serving(allow_sklearn=True)})


@cache
def made(seed: int = 0) -> dict[str, list[Any]]:
    """Rows with nulls and, in `place`, more categories than an encoder keeps apart."""
    random = np.random.default_rng(seed)

    def some_null(values: list[Any]) -> list[Any]:
        gone = random.random(N_ROWS) < 0.1
        return [None if null else value for value, null in zip(values, gone, strict=True)]

    return {
        "colour": some_null(random.choice(list("abcde"), N_ROWS).tolist()),
        "place": random.integers(0, 300, N_ROWS).astype(str).tolist(),
        "size": some_null(random.normal(size=N_ROWS).tolist()),
        "weight": (random.normal(size=N_ROWS) * 1e3).tolist(),
        "flag": (random.random(N_ROWS) < 0.5).tolist(),
        "rooms": some_null(random.integers(0, 9, N_ROWS).tolist()),
        "floor": random.integers(-3, 9, N_ROWS).tolist(),
    }


def answers(task: str, columns: Columns) -> np.ndarray:
    numbers = [
        (s or 0) + (f > 2) + (c == "a")
        for s, f, c in zip(columns["size"], columns["floor"], columns["colour"], strict=True)
    ]
    signal = np.array(numbers) + np.random.default_rng(1).normal(size=N_ROWS) * 0.3
    if task == "regression":
        return np.exp(signal)
    classes = {"binary": [False, True], "multiclass": ["x", "y", "z"]}[task]
    at = np.digitize(signal, [0.6] if task == "binary" else [0.2, 1.2])
    return np.array(classes)[at]


def fitted(use_case: UseCase, parameters: dict[str, Any]) -> Pipeline:
    target = answers(use_case.task, made())
    if use_case.estimator.path.startswith("xgboost") and use_case.classifies:
        target = np.unique(target, return_inverse=True)[1]  # it knows no other classes
    frame = feature_frame(feature_table(made(), use_case), use_case)
    return fit_pipeline(use_case, parameters, frame, target)


def compiled(model: Pipeline, use_case: UseCase, folder: Path) -> Scorer:
    """The scorer that packaging would write, with its proof."""
    rows = feature_table(made(seed=2), use_case)
    written = write_scorer(folder / "scorer", model, use_case, rows)
    assert written.not_compiled == ""
    return load_scorer(folder / "scorer")
