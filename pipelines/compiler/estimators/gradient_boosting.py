"""scikit-learn's gradient boosting."""

import copy
from typing import Any

import treelite
from sklearn import ensemble

from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import build_forest, read_forest

KINDS = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)


def knows(estimator: Any) -> bool:
    """Whether it is gradient boosting of scikit-learn."""
    return isinstance(estimator, KINDS)


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of the trees, which compare in float32."""
    # After early stopping treelite would read trees that are not there.
    stopped = copy.copy(estimator)
    stopped.n_estimators = len(estimator.estimators_)
    forest = read_forest(
        name, estimator, lambda: treelite.sklearn.import_model(stopped), float32=True
    )
    return build_forest(builder, name, estimator, forest, matrix, order)
