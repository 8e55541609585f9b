"""Partial least squares with one target: a product with the coefficients, and the intercept."""

from typing import Any

import numpy as np
from sklearn.cross_decomposition import PLSRegression

from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder


def knows(estimator: Any) -> bool:
    """Whether it is partial least squares."""
    return isinstance(estimator, PLSRegression)


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of the product; it splits at no value."""
    weights = np.atleast_2d(estimator.coef_)[:, order].T
    centred = np.asarray(estimator._x_mean)[order] @ weights
    product = builder.node("MatMul", matrix, builder.constant(weights))
    shift = np.broadcast_to(estimator.intercept_, weights.shape[1]) - centred
    return EstimatorOutput(builder.node("Add", product, builder.constant(shift)), 1, {})
