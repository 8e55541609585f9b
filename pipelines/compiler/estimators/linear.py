"""Linear models: a product with the coefficients, the intercept, and a link."""

from typing import Any

import numpy as np
from sklearn import discriminant_analysis, linear_model, svm

from pipelines.compiler.links import EstimatorOutput, linked
from pipelines.compiler.onnx_graph import GraphBuilder

# Lasso and the LassoLars are ElasticNet and Lars by inheritance, LogisticRegressionCV alike.
KINDS = (
    discriminant_analysis.LinearDiscriminantAnalysis,
    linear_model.ARDRegression,
    linear_model.BayesianRidge,
    linear_model.ElasticNet,
    linear_model.ElasticNetCV,
    linear_model.GammaRegressor,
    linear_model.HuberRegressor,
    linear_model.Lars,
    linear_model.LassoCV,
    linear_model.LinearRegression,
    linear_model.LogisticRegression,
    linear_model.OrthogonalMatchingPursuit,
    linear_model.OrthogonalMatchingPursuitCV,
    linear_model.PoissonRegressor,
    linear_model.QuantileRegressor,
    linear_model.Ridge,
    linear_model.RidgeCV,
    linear_model.SGDRegressor,
    linear_model.TheilSenRegressor,
    linear_model.TweedieRegressor,
    svm.LinearSVR,
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
    link = _link(estimator, weights.shape[1])
    answer, width = linked(builder, name, estimator, margin, weights.shape[1], link)
    return EstimatorOutput(answer, width, {})


def _link(estimator: Any, width: int) -> str:
    if hasattr(estimator, "classes_"):
        return "sigmoid" if width == 1 else "softmax"
    match estimator:
        case linear_model.PoissonRegressor() | linear_model.GammaRegressor():
            return "exponential"
        case linear_model.TweedieRegressor(link="log"):
            return "exponential"
        case linear_model.TweedieRegressor(link="auto", power=power) if power > 0:
            return "exponential"
    return "identity"
