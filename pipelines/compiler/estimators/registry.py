"""Every kind of estimator that compiles; a new kind is a file beside this one and a line here."""

from collections.abc import Callable
from typing import Any

from pipelines.compiler.columns import refused
from pipelines.compiler.estimators import (
    decision_tree,
    forest,
    gradient_boosting,
    hist_gradient_boosting,
    lightgbm,
    linear,
    xgboost,
)
from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder

Build = Callable[[GraphBuilder, str, Any, str, list[int]], EstimatorOutput]
# Whether an estimator is of this kind, and what builds its nodes.
ESTIMATORS: tuple[tuple[Callable[[Any], bool], Build], ...] = (
    (linear.knows, linear.build),
    (decision_tree.knows, decision_tree.build),
    (forest.knows, forest.build),
    (gradient_boosting.knows, gradient_boosting.build),
    (hist_gradient_boosting.knows, hist_gradient_boosting.build),
    (lightgbm.knows, lightgbm.build),
    (xgboost.knows, xgboost.build),
)


def build_estimator(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes that answer like the fitted estimator.

    `matrix` is the encoded matrix (n_rows, n_features); its column j is the estimator's feature
    `order[j]`. Refused, with the step's `name`, where the estimator can't be compiled.
    """
    for knows, build in ESTIMATORS:
        if knows(estimator):
            return build(builder, name, estimator, matrix, order)
    raise refused(name, estimator, "it is none of the estimators that are known")
