"""The frozen reference of a version: what later windows are compared with.

Features and answers are frames of their own, for a feature may have any name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

INPUTS_FILE = "inputs.parquet"
HOLDOUT_FILE = "holdout.parquet"
ANSWERS_FILE = "answers.parquet"  # on the holdout
FIGURES_FILE = "figures.json"
PROBABILITY = "probability_"  # and the name of a class


@dataclass(frozen=True)
class Rows:
    """Rows that were answered, (n_rows, ...) each."""

    inputs: pd.DataFrame
    answers: pd.DataFrame  # label, prediction and, of classifiers, probabilities

    def __len__(self) -> int:
        return len(self.answers)


@dataclass(frozen=True)
class Reference:
    """Inputs of a training sample; answers, labels and figures of the holdout."""

    inputs: pd.DataFrame
    holdout: Rows  # `label`, `prediction` and, for classifiers, `probability_<class>`
    figures: dict[str, float]


def freeze(folder: Path, inputs: pd.DataFrame, holdout: Rows, figures: Mapping[str, float]) -> None:
    """Write the reference into a folder."""
    inputs.to_parquet(folder / INPUTS_FILE, index=False)
    holdout.inputs.to_parquet(folder / HOLDOUT_FILE, index=False)
    holdout.answers.to_parquet(folder / ANSWERS_FILE, index=False)
    (folder / FIGURES_FILE).write_text(json.dumps(dict(figures), indent=1), encoding="utf-8")


def load(folder: Path) -> Reference:
    """Read a frozen reference."""
    return Reference(
        inputs=pd.read_parquet(folder / INPUTS_FILE),
        holdout=_holdout(folder),
        figures=json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8")),
    )


def _holdout(folder: Path) -> Rows:
    rows = pd.read_parquet(folder / HOLDOUT_FILE)
    try:
        return Rows(rows, pd.read_parquet(folder / ANSWERS_FILE))
    except FileNotFoundError:
        # Older releases wrote the answers with the features.
        outcomes = ("label", "prediction")
        answers = [n for n in rows if n in outcomes or str(n).startswith(PROBABILITY)]
        if not set(outcomes) <= set(answers):
            raise
    return Rows(rows.drop(columns=answers), rows[answers])
