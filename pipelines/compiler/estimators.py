"""Fitted estimators as nodes of an ONNX graph: linear models, and trees by way of treelite."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn import linear_model

from pipelines.compiler.encoders import refused
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import Forest, read_trees
from pipelines.compiler.xgboost_trees import build_xgboost, is_xgboost

LINEAR = (
    linear_model.ElasticNet,
    linear_model.Lasso,
    linear_model.LinearRegression,
    linear_model.LogisticRegression,
    linear_model.Ridge,
)


@dataclass(frozen=True)
class EstimatorOutput:
    """Name of the output, its width (n_classes, or 1 for a regression), split values by column."""

    name: str
    width: int
    splits: dict[int, list[float]]


def build_estimator(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes that answer like the estimator; column j of `matrix` is its feature `order[j]`."""
    if isinstance(estimator, LINEAR):
        margin, width = _linear(builder, estimator, matrix, order)
        link = "identity"
        if hasattr(estimator, "classes_"):
            link = "sigmoid" if width == 1 else "softmax"
        linked, width = _link(builder, name, estimator, margin, width, link)
        return EstimatorOutput(linked, width, {})
    at = np.argsort(order)  # the column of each feature
    if is_xgboost(estimator):
        linked, width, forest = build_xgboost(builder, name, estimator, matrix, at)
    else:
        forest = read_trees(name, estimator)
        margin = _trees(builder, forest, matrix, at)
        linked, width = _link(builder, name, estimator, margin, forest.n_targets, forest.link)
    return EstimatorOutput(
        linked, width, {int(at[f]): values for f, values in forest.splits().items()}
    )


def _linear(
    builder: GraphBuilder, estimator: Any, matrix: str, order: list[int]
) -> tuple[str, int]:
    weights = np.atleast_2d(estimator.coef_)[:, order].T
    product = builder.node("MatMul", matrix, builder.constant(weights))
    intercept = np.broadcast_to(estimator.intercept_, weights.shape[1])
    return builder.node("Add", product, builder.constant(intercept)), weights.shape[1]


def _trees(builder: GraphBuilder, forest: Forest, matrix: str, at: Any) -> str:
    if forest.float32:
        matrix = builder.cast(builder.cast(matrix, TensorProto.FLOAT))
    margin = builder.node("TreeEnsemble", matrix, domain="ai.onnx.ml", **forest.attributes(at))
    if forest.n_averaged > 1:
        margin = builder.node("Div", margin, builder.constant(forest.n_averaged))
    if forest.base.any():
        margin = builder.node("Add", margin, builder.constant(forest.base))
    return margin


def _link(
    builder: GraphBuilder, name: str, estimator: Any, margin: str, width: int, link: str
) -> tuple[str, int]:
    match link:
        case "identity" | "identity_multiclass":
            return margin, width
        case "exponential":
            return builder.node("Exp", margin), width
        case "softmax":
            return builder.node("Softmax", margin, axis=1), width
        case "sigmoid" if hasattr(estimator, "classes_"):
            chance = builder.node("Sigmoid", margin)
            other = builder.node("Sub", builder.constant(1.0), chance)
            return builder.node("Concat", other, chance, axis=1), 2
    raise refused(name, estimator, f"its link {link!r} is not known")
