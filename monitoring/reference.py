"""The frozen reference of a version: what later windows are compared with."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

INPUTS_FILE = "inputs.parquet"
HOLDOUT_FILE = "holdout.parquet"
FIGURES_FILE = "figures.json"


@dataclass(frozen=True)
class Reference:
    """Inputs of a training sample; answers, labels and figures of the holdout."""

    inputs: pd.DataFrame
    holdout: pd.DataFrame
    figures: dict[str, float]


def freeze(
    folder: Path, inputs: pd.DataFrame, holdout: pd.DataFrame, figures: Mapping[str, float]
) -> None:
    """Write the reference into a folder.

    `holdout` has the features, `label`, `prediction` and, for classifiers, `probability_<class>`.
    """
    inputs.to_parquet(folder / INPUTS_FILE, index=False)
    holdout.to_parquet(folder / HOLDOUT_FILE, index=False)
    (folder / FIGURES_FILE).write_text(json.dumps(dict(figures), indent=1), encoding="utf-8")


def load(folder: Path) -> Reference:
    """Read a frozen reference."""
    return Reference(
        inputs=pd.read_parquet(folder / INPUTS_FILE),
        holdout=pd.read_parquet(folder / HOLDOUT_FILE),
        figures=json.loads((folder / FIGURES_FILE).read_text(encoding="utf-8")),
    )
