"""Tree ensembles as attributes of one ONNX TreeEnsemble; treelite reads all kinds into one form.

https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html, version 5 of ai.onnx.ml
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import treelite
from onnx import TensorProto, numpy_helper

from pipelines.compiler.columns import refused
from pipelines.compiler.links import EstimatorOutput, linked
from pipelines.compiler.onnx_graph import GraphBuilder

Array = npt.NDArray[Any]

# treelite's comparison (none 0, EQ 1, LT 2, LE 3, GT 4, GE 5) as the mode of an ONNX node.
MODES = np.array([0, 4, 1, 0, 3, 2], dtype=np.uint8)
MEMBER = 6
CATEGORICAL = 2  # treelite's type of a node that tests membership
SUM = 1
TENSORS = ("nodes_modes", "nodes_splits", "membership_values", "leaf_weights")


@dataclass(frozen=True)
class Forest:
    """Trees as arrays under the names of ONNX's attributes, and what follows the sum of leaves."""

    arrays: dict[str, Array]
    n_targets: int
    n_averaged: int  # the sum is divided by it
    base: npt.NDArray[np.float64]  # (n_targets,), added to the sum
    link: str
    float32: bool  # inputs are rounded before they are compared

    def attributes(self, at: Array) -> dict[str, Any]:
        """Attributes of the ONNX node; feature f stands in column at[f]."""
        arrays = self.arrays | {"nodes_featureids": at[self.arrays["nodes_featureids"]]}
        attributes: dict[str, Any] = {
            name: numpy_helper.from_array(array) if name in TENSORS else array.tolist()
            for name, array in arrays.items()
            if len(array)
        }
        return attributes | {"aggregate_function": SUM, "n_targets": self.n_targets}

    def splits_by_column(self, at: Array) -> dict[int, list[float]]:
        """The distinct split values of each column that has any; feature f stands in at[f].

        Tests of membership are left out.
        """
        compared = self.arrays["nodes_modes"] != MEMBER
        feature = self.arrays["nodes_featureids"][compared]
        split = self.arrays["nodes_splits"][compared]
        return {int(at[f]): np.unique(split[feature == f]).tolist() for f in np.unique(feature)}


def import_model(name: str, estimator: Any, read: Callable[[], treelite.Model]) -> treelite.Model:
    """What `read` gives, a fitted ensemble in treelite's form; Refused where treelite can't."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # it casts the category NaN
            return read()
    except (treelite.TreeliteError, NotImplementedError) as error:
        raise refused(name, estimator, str(error)) from error


def read_forest(
    name: str, estimator: Any, read: Callable[[], treelite.Model], float32: bool
) -> Forest:
    """The trees of a fitted ensemble that `read` gives in treelite's form.

    `float32` says whether the estimator rounds its inputs before it compares them. Refused where
    treelite can't read it, or its link is scaled.
    """
    model = import_model(name, estimator, read)
    header = model.get_header_accessor()
    if header.get_field("sigmoid_alpha")[0] != 1:
        raise refused(name, estimator, "its sigmoid is scaled")
    n_classes = int(header.get_field("num_class")[0])
    flat = FlatTrees()
    for i, class_id in enumerate(np.array(header.get_field("class_id")).tolist()):
        # A leaf of ONNX has one number: a tree with one for each class is given once for each.
        for target in range(n_classes) if class_id < 0 else [class_id]:
            flat.add(model, i, target)
    averaged = bool(header.get_field("average_tree_output")[0])
    return Forest(
        flat.arrays(),
        n_targets=n_classes,
        n_averaged=model.num_tree if averaged else 1,
        base=np.array(header.get_field("base_scores"), dtype=float),  # a copy: the model goes
        link=str(header.get_field("postprocessor")),
        float32=float32,
    )


def build_forest(
    builder: GraphBuilder, name: str, estimator: Any, forest: Forest, matrix: str, order: list[int]
) -> EstimatorOutput:
    """Nodes that sum up leaves in float64; column j of `matrix` is the feature `order[j]`."""
    at = np.argsort(order)  # the column of each feature
    if forest.float32:
        matrix = builder.cast(builder.cast(matrix, TensorProto.FLOAT))
    margin = builder.node("TreeEnsemble", matrix, domain="ai.onnx.ml", **forest.attributes(at))
    if forest.n_averaged > 1:
        margin = builder.node("Div", margin, builder.constant(forest.n_averaged))
    if forest.base.any():
        margin = builder.node("Add", margin, builder.constant(forest.base))
    answer, width = linked(builder, name, estimator, margin, forest.n_targets, forest.link)
    return EstimatorOutput(answer, width, forest.splits_by_column(at))


class FlatTrees:
    """Trees added one after another, as ONNX holds them: flat arrays that refer by number."""

    def __init__(self) -> None:
        self._trees: list[dict[str, Array]] = []
        self._n_nodes = self._n_leaves = 0

    def add(self, model: treelite.Model, index: int, target: int) -> None:
        """Add one tree of a model; its leaves count for a target."""
        fields = _Fields(model.get_tree_accessor(index))
        self._append(_tree(fields, target, self._n_nodes, self._n_leaves))

    def add_constant(self, value: float, target: int) -> None:
        """Add a tree that always answers the same."""
        self._append(_stump(value, target, self._n_nodes, self._n_leaves))

    def arrays(self) -> dict[str, Array]:
        """All trees, under the names of ONNX's attributes."""
        return {key: np.concatenate([one[key] for one in self._trees]) for key in self._trees[0]}

    def _append(self, tree: dict[str, Array]) -> None:
        self._trees.append(tree)
        self._n_nodes += len(tree["nodes_modes"])
        self._n_leaves += len(tree["leaf_weights"])


class _Fields:
    """Arrays of one tree of treelite, (n_nodes,) unless treelite's specification says otherwise."""

    def __init__(self, accessor: Any) -> None:
        self._accessor = accessor

    def __getattr__(self, name: str) -> Array:
        return np.asarray(self._accessor.get_field(name))


def _tree(fields: _Fields, target: int, n_nodes: int, n_leaves: int) -> dict[str, Array]:
    """One tree, its nodes and leaves numbered from these on."""
    inner = fields.node_type != 0
    if not inner.any():
        return _stump(float(_leaves(fields, target)[0]), target, n_nodes, n_leaves)
    number = np.where(inner, n_nodes + inner.cumsum() - 1, n_leaves + (~inner).cumsum() - 1)
    member = fields.node_type[inner] == CATEGORICAL
    right_is_true = member & (fields.category_list_right_child[inner] != 0)
    left, right = fields.cleft[inner], fields.cright[inner]
    true, false = np.where(right_is_true, right, left), np.where(right_is_true, left, right)
    return {
        "tree_roots": number[:1],
        "nodes_featureids": fields.split_index[inner],
        "nodes_modes": np.where(member, MEMBER, MODES[fields.cmp[inner]]).astype(np.uint8),
        "nodes_splits": np.where(member, 0.0, fields.threshold[inner].astype(float)),
        "nodes_truenodeids": number[true],
        "nodes_trueleafs": (~inner[true]).astype(int),
        "nodes_falsenodeids": number[false],
        "nodes_falseleafs": (~inner[false]).astype(int),
        "nodes_missing_value_tracks_true": (fields.default_left[inner] != right_is_true).astype(
            int
        ),
        "membership_values": _members(fields, np.flatnonzero(fields.node_type == CATEGORICAL)),
        "leaf_targetids": np.full((~inner).sum(), target),
        "leaf_weights": _leaves(fields, target)[~inner],
    }


def _stump(value: float, target: int, n_nodes: int, n_leaves: int) -> dict[str, Array]:
    """A tree of one leaf: ONNX wants a node, so both its ways lead to the leaf."""
    names = ("nodes_featureids", "nodes_missing_value_tracks_true")
    ways = ("nodes_truenodeids", "nodes_falsenodeids")
    return {
        "tree_roots": np.array([n_nodes]),
        **{name: np.array([0]) for name in names},
        **{name: np.array([n_leaves]) for name in ways},
        "nodes_trueleafs": np.array([1]),
        "nodes_falseleafs": np.array([1]),
        "nodes_modes": np.array([0], dtype=np.uint8),
        "nodes_splits": np.array([0.0]),
        "membership_values": np.array([]),
        "leaf_targetids": np.array([target]),
        "leaf_weights": np.array([value]),
    }


def _leaves(fields: _Fields, target: int) -> Array:
    """The number at each node's leaf for a target; what inner nodes get means nothing."""
    if not len(fields.leaf_vector):
        return np.array(fields.leaf_value, dtype=float)
    begin = np.minimum(fields.leaf_vector_begin.astype(int) + target, len(fields.leaf_vector) - 1)
    leaf: Array = np.array(fields.leaf_vector, dtype=float)[begin]
    return leaf


def _members(fields: _Fields, nodes: Array) -> Array:
    """The sets of the membership tests, one after another, NaN after each."""
    begin, end = fields.category_list_begin, fields.category_list_end
    sets = [[*fields.category_list[begin[i] : end[i]].tolist(), math.nan] for i in nodes]
    return np.array([value for one in sets for value in one], dtype=float)
