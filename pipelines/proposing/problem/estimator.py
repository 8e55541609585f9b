"""A first estimator: boosted trees, or a linear model where rows are few."""

from typing import Any

from pipelines.proposing.columns.facts import SeenColumn
from pipelines.proposing.inferred import Inferred
from pipelines.proposing.problem.task import CLASS_ROWS, ProposedTask

FEW_ROWS = 500
BOOSTING = "sklearn.ensemble.HistGradientBoosting"


def estimator_of(target: SeenColumn, task: ProposedTask) -> Inferred[dict[str, Any]]:
    """The section `estimator` for the labelled rows there are, with a space to search.

    Boosting stops where a tenth of the training rows, kept aside, is answered no better, else it
    learns weak tables by heart. That takes rows of each class on both sides.
    """
    end, labelled = "Classifier" if task.classifies else "Regressor", target.rows - target.nulls
    if labelled >= FEW_ROWS:
        section: dict[str, Any] = {
            "path": BOOSTING + end,
            "parameters": {"early_stopping": not task.classifies or _rarest(target) >= CLASS_ROWS},
            "search": {
                "learning_rate": {"low": 0.02, "high": 0.3, "log": True},
                "max_leaf_nodes": {"low": 7, "high": 63, "integer": True, "log": True},
                "min_samples_leaf": {"low": 5, "high": 200, "integer": True, "log": True},
            },
        }
        return Inferred(section, "takes empty cells and categories as they are", "likely")
    why = f"a linear model, for {labelled:,} labelled rows are few"
    if not task.classifies:
        alpha = {"alpha": {"low": 0.01, "high": 100, "log": True}}
        path, parameters = "sklearn.linear_model.Ridge", {"alpha": 1.0}
        return Inferred({"path": path, "parameters": parameters, "search": alpha}, why, "likely")
    search = {"C": {"low": 0.01, "high": 100, "log": True}}
    path, both = "sklearn.linear_model.LogisticRegression", {"C": 1.0, "max_iter": 1000}
    return Inferred({"path": path, "parameters": both, "search": search}, why, "likely")


def _rarest(target: SeenColumn) -> int:
    """Rows of the rarest class."""
    return target.by_count[-1][1]
