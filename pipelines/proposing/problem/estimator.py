"""A first estimator: boosted trees, or a linear model where rows are few."""

from typing import Any

from contract.use_case.model import Task
from pipelines.proposing.inferred import Inferred

FEW_ROWS = 500
BOOSTING = "sklearn.ensemble.HistGradientBoosting"


def estimator_of(task: Task, labelled: int) -> Inferred[dict[str, Any]]:
    """The section `estimator` for so many labelled rows, with a space to search."""
    end = "Regressor" if task == "regression" else "Classifier"
    if labelled >= FEW_ROWS:
        section: dict[str, Any] = {
            "path": BOOSTING + end,
            "parameters": {"early_stopping": False},
            "search": {
                "learning_rate": {"low": 0.02, "high": 0.3, "log": True},
                "max_leaf_nodes": {"low": 7, "high": 63, "integer": True, "log": True},
                "min_samples_leaf": {"low": 5, "high": 200, "integer": True, "log": True},
            },
        }
        return Inferred(section, "takes empty cells and categories as they are", "likely")
    why = f"a linear model, for {labelled:,} labelled rows are few"
    if task == "regression":
        alpha = {"alpha": {"low": 0.01, "high": 100, "log": True}}
        path, parameters = "sklearn.linear_model.Ridge", {"alpha": 1.0}
        return Inferred({"path": path, "parameters": parameters, "search": alpha}, why, "likely")
    search = {"C": {"low": 0.01, "high": 100, "log": True}}
    path, both = "sklearn.linear_model.LogisticRegression", {"C": 1.0, "max_iter": 1000}
    return Inferred({"path": path, "parameters": both, "search": search}, why, "likely")
