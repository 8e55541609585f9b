"""Masks of leaves (serving.scoring.leaf_masks) of a graph that sums small trees.

Whatever else a graph holds has none, and one row of it goes through the graph as many do.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from pipelines.compiler.onnx_graph import InputColumn
from pipelines.compiler.trees import MEMBER, SUM
from serving.scoring.leaf_masks import LEAVES, Link, MaskArrays
from serving.scoring.scorer import GRAPH_INPUT

MOST_BYTES = 8 * 2**20  # of masks: what leaves the processor's cache is no faster than a walk
LEQ = 0
LINKS: dict[tuple[str, ...], Link] = {
    ("TreeEnsemble", "Identity"): "identity",
    ("TreeEnsemble", "Add", "Identity"): "identity",
    ("TreeEnsemble", "Sigmoid", "Sub", "Concat", "Identity"): "sigmoid",
    ("TreeEnsemble", "Add", "Sigmoid", "Sub", "Concat", "Identity"): "sigmoid",
}

Array = npt.NDArray[Any]


def leaf_masks(model: onnx.ModelProto, inputs: Sequence[InputColumn]) -> MaskArrays | None:
    """Masks of a graph that is fed with these inputs; None where it sums no small trees."""
    nodes = model.graph.node
    link = LINKS.get(tuple(node.op_type for node in nodes))
    if link is None or nodes[0].input[0] != GRAPH_INPUT:
        return None
    trees = _Trees({attribute.name: _value(attribute) for attribute in nodes[0].attribute})
    if not trees.are_small(inputs):
        return None
    values = [_values(part, trees.splits_of(i)) for i, part in enumerate(inputs)]
    if sum(map(len, values)) * trees.n_trees * LEAVES // 8 > MOST_BYTES:
        return None
    found = [trees.masks(i, input_values) for i, input_values in enumerate(values)]
    masks, rows = np.unique(np.concatenate(found), axis=0, return_inverse=True)
    ends = np.cumsum(list(map(len, found)))[:-1]
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    base = float(constants[nodes[1].input[1]].item()) if nodes[1].op_type == "Add" else 0.0
    splits = [
        np.array([] if p.keys is not None else trees.splits_of(i), dtype=float)
        for i, p in enumerate(inputs)
    ]
    return MaskArrays(masks, trees.leaves, base, link, np.split(rows.ravel(), ends), splits)


def _value(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _values(part: InputColumn, splits: Sequence[float]) -> list[float]:
    """One value for each row of masks that an input has (serving.scoring.leaf_masks)."""
    return list(part.values) if part.keys is not None else [*splits, math.inf, math.nan]


class _Trees:
    """The trees of one TreeEnsemble, by the names of its attributes."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told
        self.n_trees = len(told["tree_roots"])
        self._mode, self._input = np.array(told["nodes_modes"]), np.array(told["nodes_featureids"])
        self._split = np.array(told["nodes_splits"], dtype=float)
        self._missing_is_true = np.array(told["nodes_missing_value_tracks_true"], dtype=bool)
        self._sets = _sets(self._mode, told.get("membership_values", ()))
        n_nodes = len(self._mode)
        self._tree = np.zeros(n_nodes, dtype=int)
        self._below = np.zeros((n_nodes, 2), dtype=np.uint32)  # leaves of the false, the true way
        self.leaves = np.zeros((self.n_trees, LEAVES))

    def are_small(self, inputs: Sequence[InputColumn]) -> bool:
        """Whether masks can stand for them, and if so, their leaves are numbered."""
        raw = [i for i, part in enumerate(inputs) if part.keys is None]
        plain = (self._mode == LEQ) | ((self._mode == MEMBER) & ~np.isin(self._input, raw))
        one = self._told["n_targets"] == 1 and self._told["aggregate_function"] == SUM
        return one and bool(plain.all()) and all(map(self._number_leaves, range(self.n_trees)))

    def _number_leaves(self, tree: int) -> bool:
        """Whether a tree has few enough leaves."""
        ways = [
            (self._told[f"nodes_{way}nodeids"], self._told[f"nodes_{way}leafs"])
            for way in ("false", "true")
        ]
        weights, n_leaves = self._told["leaf_weights"], 0

        def number(node: int) -> int:
            nonlocal n_leaves
            self._tree[node] = tree
            for side, (following, is_leaf) in enumerate(ways):
                if not is_leaf[node]:
                    self._below[node, side] = number(following[node])
                elif n_leaves < LEAVES:
                    self.leaves[tree, n_leaves] = weights[following[node]]
                    self._below[node, side] = 1 << n_leaves
                    n_leaves += 1
                else:
                    raise OverflowError
            return int(self._below[node].sum(dtype=np.uint32))

        try:
            number(self._told["tree_roots"][tree])
        except (OverflowError, RecursionError):
            return False
        return True

    def splits_of(self, place: int) -> list[float]:
        """The distinct split values of an input, ascending."""
        own = (self._input == place) & (self._mode == LEQ)
        return [float(value) for value in np.unique(self._split[own])]

    def masks(self, place: int, values: Sequence[float]) -> npt.NDArray[np.uint32]:
        """The leaves that are possible for each value of an input, (n_values, n_trees)."""
        nodes = np.flatnonzero(self._input == place)
        own = self._below[self._told["tree_roots"]].sum(axis=1, dtype=np.uint32)
        masks = np.tile(own, (len(values), 1))
        for mask, value in zip(masks, values, strict=True):
            true = self._outcomes(nodes, value)
            excluded = np.where(true, self._below[nodes, 0], self._below[nodes, 1])
            np.bitwise_and.at(mask, self._tree[nodes], ~excluded)
        return masks

    def _outcomes(self, nodes: Array, value: float) -> Array:
        if math.isnan(value):
            return self._missing_is_true[nodes]
        member = np.array([value in self._sets.get(node, ()) for node in nodes.tolist()], bool)
        return np.where(self._mode[nodes] == MEMBER, member, value <= self._split[nodes])


def _sets(modes: Array, values: Sequence[float]) -> dict[int, frozenset[float]]:
    """The set of each node that tests membership: they follow each other, NaN behind each."""
    sets: list[frozenset[float]] = []
    begin = 0
    for end in np.flatnonzero(np.isnan(np.array(values, dtype=float))).tolist():
        sets.append(frozenset(np.array(values[begin:end], dtype=float).tolist()))
        begin = end + 1
    return dict(zip(np.flatnonzero(modes == MEMBER).tolist(), sets, strict=True))
