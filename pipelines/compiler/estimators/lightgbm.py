"""LightGBM's classifier and regressor."""

from typing import Any

import numpy as np
import treelite

from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import build_forest, read_forest

NAMES = ("LGBMClassifier", "LGBMRegressor")
ZERO = float(np.float32(1e-35))  # LightGBM's kZeroThreshold


def knows(estimator: Any) -> bool:
    """Whether it is one of LightGBM's; told by name, for the package may be absent."""
    return (
        type(estimator).__module__.partition(".")[0] == "lightgbm"
        and type(estimator).__name__ in NAMES
    )


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes of the trees, which compare in float64."""
    forest = read_forest(
        name, estimator, lambda: treelite.frontend.from_lightgbm(estimator.booster_), float32=False
    )
    # It takes what is this near to zero for zero, so its split at -ZERO leaves -ZERO right.
    splits = forest.arrays["nodes_splits"]
    splits[splits == -ZERO] = np.nextafter(-ZERO, -1)
    return build_forest(builder, name, estimator, forest, matrix, order)
