"""scikit-learn's histogram gradient boosting, with categories and missing values."""

from typing import Any

import treelite
from sklearn import ensemble

from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import build_forest, read_forest

KINDS = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)


def knows(estimator: Any) -> bool:
    """Whether it is histogram gradient boosting of scikit-learn."""
    return isinstance(estimator, KINDS)


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of the trees, which compare in float64."""
    forest = read_forest(
        name, estimator, lambda: treelite.sklearn.import_model(estimator), float32=False
    )
    return build_forest(builder, name, estimator, forest, matrix, order)
