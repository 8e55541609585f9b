"""XGBoost as nodes of an ONNX graph: it adds its leaves one by one in float32, and so does this.

A sum in float64 would be more exact and up to 1e-6 off. Leaves are added in XGBoost's order by
CumSum, the base first; exp is computed as the C library does for float32 numbers.
"""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import treelite
from onnx import TensorProto

from pipelines.compiler.columns import refused
from pipelines.compiler.links import EstimatorOutput
from pipelines.compiler.onnx_graph import GraphBuilder
from pipelines.compiler.trees import FlatTrees, Forest, import_model

NAMES = ("XGBClassifier", "XGBRegressor")
# glibc 2.28, sysdeps/ieee754/flt-32/e_expf.c and math_config.h: exp(x) = 2^(k/32) * 2^(r/32), r a
# cubic polynomial in float64, then rounded to float32.
PARTS = 32
INVERSE_LN2 = float.fromhex("0x1.71547652b82fep+0") * PARTS
CUBIC = (
    float.fromhex("0x1.c6af84b912394p-5") / PARTS**3,
    float.fromhex("0x1.ebfce50fac4f3p-3") / PARTS**2,
    float.fromhex("0x1.62e42ff0c52d6p-1") / PARTS,
)
LARGEST = 88.7  # XGBoost's bound of what its sigmoid exponentiates


def knows(estimator: Any) -> bool:
    """Whether it is one of XGBoost's; told by name, for the package may be absent."""
    kind = type(estimator)
    return kind.__module__.partition(".")[0] == "xgboost" and kind.__name__ in NAMES


def build(
    builder: GraphBuilder, name: str, estimator: Any, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes that add the leaves of each class in XGBoost's order, in float32.

    Refused for another booster or link than those that are known.
    """
    if estimator.booster not in (None, "gbtree"):  # dart weighs its trees
        raise refused(name, estimator, f"its booster {estimator.booster!r} is not known")
    at = np.argsort(order)  # the column of each feature
    base = _base(estimator)
    n_classes = len(base)
    forest, n_added = _read_forest(name, estimator, base)
    rounded = builder.cast(builder.cast(matrix, TensorProto.FLOAT))
    each = builder.node("TreeEnsemble", rounded, domain="ai.onnx.ml", **forest.attributes(at))
    margin = _added_up(builder, each, n_classes, n_added)
    answer, width = _linked(builder, name, estimator, margin, n_classes, forest.link)
    return EstimatorOutput(builder.cast(answer), width, forest.splits_by_column(at))


def _read_forest(name: str, estimator: Any, base: npt.NDArray[np.float32]) -> tuple[Forest, int]:
    """The trees with a target for each leaf that is added, and how many a class adds up."""
    model = import_model(
        name, estimator, lambda: treelite.frontend.from_xgboost(estimator.get_booster())
    )
    header = model.get_header_accessor()
    class_ids = np.array(header.get_field("class_id"))
    n_classes, n_added = len(base), model.num_tree // len(base) + 1
    flat = FlatTrees()
    for c in range(n_classes):  # the numbers that class c adds up, in order
        flat.add_constant(float(base[c]), c * n_added)
        for i, index in enumerate(np.flatnonzero(class_ids == c).tolist()):
            flat.add(model, index, c * n_added + 1 + i)
    n_targets = n_classes * n_added
    link = str(header.get_field("postprocessor"))
    return Forest(flat.arrays(), n_targets, 1, np.zeros(n_targets), link, float32=True), n_added


def _base(estimator: Any) -> npt.NDArray[np.float32]:
    """The margin before any tree, (n_classes,): what the model answers with all leaves at 0.

    XGBoost stores it as a probability and rounds in a way of its own on the way to a margin.
    """
    import xgboost

    plain = json.loads(bytes(estimator.get_booster().save_raw("json")))
    for tree in plain["learner"]["gradient_booster"]["model"]["trees"]:
        leaves = np.array(tree["left_children"]) == -1
        tree["split_conditions"] = np.where(leaves, 0.0, tree["split_conditions"]).tolist()
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(plain).encode()))
    one_row = xgboost.DMatrix(np.zeros((1, estimator.n_features_in_)))
    margin: npt.NDArray[np.float32] = booster.predict(one_row, output_margin=True).ravel()
    return margin


def _added_up(builder: GraphBuilder, each: str, n_classes: int, n_added: int) -> str:
    """Sums of float32 numbers in their order, (n_rows, n_classes)."""
    shape = builder.constant([-1, n_classes, n_added], np.int64)
    numbers = builder.node("Reshape", builder.cast(each, TensorProto.FLOAT), shape)
    sums = builder.node("CumSum", numbers, builder.constant(2, np.int64))
    return builder.node("Gather", sums, builder.constant(n_added - 1, np.int64), axis=2)


def _linked(
    builder: GraphBuilder, name: str, estimator: Any, margin: str, n_classes: int, link: str
) -> tuple[str, int]:
    match link:
        case "identity":
            return margin, 1
        case "exponential":
            return _exp(builder, margin), 1
        case "sigmoid" if hasattr(estimator, "classes_"):
            one = builder.constant(1, np.float32)
            bounded = builder.node(
                "Min", builder.node("Neg", margin), builder.constant(LARGEST, np.float32)
            )
            odds = builder.node("Add", _exp(builder, bounded), one)
            chance = builder.node("Div", one, odds)
            return builder.node("Concat", builder.node("Sub", one, chance), chance, axis=1), 2
        case "softmax":
            last = builder.constant([1], np.int64)
            largest = builder.node("ReduceMax", margin, last)
            powers = _exp(builder, builder.node("Sub", margin, largest))
            total = builder.node("ReduceSum", builder.cast(powers), last)
            total = builder.cast(total, TensorProto.FLOAT)
            return builder.node("Div", powers, total), n_classes
    raise refused(name, estimator, f"its link {link!r} is not known")


def _exp(builder: GraphBuilder, name: str) -> str:
    """exp of float32 numbers, bit for bit as glibc's expf."""

    def of(kind: str, left: str, right: str | float) -> str:
        right = right if isinstance(right, str) else builder.constant(right)
        return builder.node(kind, left, right)

    scaled = of("Mul", builder.cast(name), INVERSE_LN2)
    whole = builder.node("Round", scaled)
    rest = of("Sub", scaled, whole)
    high = of("Add", of("Mul", rest, CUBIC[0]), CUBIC[1])
    low = of("Add", of("Mul", rest, CUBIC[2]), 1.0)
    cubic = of("Add", of("Mul", high, of("Mul", rest, rest)), low)
    power = builder.node("Pow", builder.constant(2.0), of("Div", whole, float(PARTS)))
    return builder.cast(of("Mul", cubic, power), TensorProto.FLOAT)
