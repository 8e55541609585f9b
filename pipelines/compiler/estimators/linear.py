"""Linear models: a product with the coefficients, the intercept, a link for classifiers."""

from typing import Any

import numpy as np
from sklearn import linear_model

from pipelines.compiler.links import EstimatorOutput, linked
from pipelines.compiler.onnx_graph import GraphBuilder

KINDS = (
    linear_model.ElasticNet,
    linear_model.Lasso,
    linear_model.LinearRegression,
    linear_model.LogisticRegression,
    linear_model.Ridge,
)


def knows(estimator: Any) -> bool:
    """Whether it is one of scikit-learn's linear models that compile."""
    return isinstance(estimator, KINDS)


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of a linear model; it splits at no value."""
    weights = np.atleast_2d(estimator.coef_)[:, order].T
    product = builder.node("MatMul", matrix, builder.constant(weights))
    intercept = np.broadcast_to(estimator.intercept_, weights.shape[1])
    margin = builder.node("Add", product, builder.constant(intercept))
    link = "identity"
    if hasattr(estimator, "classes_"):
        link = "sigmoid" if weights.shape[1] == 1 else "softmax"
    answer, width = linked(builder, name, estimator, margin, weights.shape[1], link)
    return EstimatorOutput(answer, width, {})
