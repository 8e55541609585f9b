"""scikit-learn's random forests and extra trees: the mean of their trees."""

from typing import Any

import treelite
from sklearn import ensemble

from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import build_forest, read_forest

KINDS = (
    ensemble.RandomForestClassifier,
    ensemble.RandomForestRegressor,
    ensemble.ExtraTreesClassifier,
    ensemble.ExtraTreesRegressor,
)


def knows(estimator: Any) -> bool:
    """Whether it is a forest of scikit-learn."""
    return isinstance(estimator, KINDS)


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of the trees, which compare in float32."""
    forest = read_forest(
        name, estimator, lambda: treelite.sklearn.import_model(estimator), float32=True
    )
    return build_forest(builder, name, estimator, forest, matrix, order)
