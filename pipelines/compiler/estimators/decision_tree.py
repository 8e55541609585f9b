"""scikit-learn's decision trees: treelite knows forests alone, so here is one of one tree."""

from typing import Any

import treelite
from sklearn import ensemble, tree

from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import build_forest, read_forest

KINDS = (tree.DecisionTreeClassifier, tree.DecisionTreeRegressor)


def knows(estimator: Any) -> bool:
    """Whether it is a decision tree of scikit-learn."""
    return isinstance(estimator, KINDS)


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of the tree, which compares in float32."""
    forest = read_forest(
        name, estimator, lambda: treelite.sklearn.import_model(_alone(estimator)), float32=True
    )
    return build_forest(builder, name, estimator, forest, matrix, order)


def _alone(estimator: Any) -> Any:
    """A fitted forest of this tree."""
    classifies = isinstance(estimator, tree.DecisionTreeClassifier)
    kind = ensemble.RandomForestClassifier if classifies else ensemble.RandomForestRegressor
    forest = kind(n_estimators=1)
    forest.estimators_ = [estimator]
    forest.n_features_in_, forest.n_outputs_ = estimator.n_features_in_, estimator.n_outputs_
    if classifies:
        forest.n_classes_ = estimator.n_classes_
    return forest
