"""Build the ONNX graph of a scorer: encoded columns, then an estimator, then its link.

The graph's one input, float64 (n_rows, n_inputs), holds a number for each looked-up value and each
number as it came; its one output is float64 (n_rows, n_outputs).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from pipelines.compiler.columns import Column, LookupTable, RawFeature, ScalingStage
from serving.scoring.scorer import GRAPH_INPUT, GRAPH_OUTPUTS

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10


@dataclass
class GraphBuilder:
    """Nodes and constants of a graph, added in order; each method answers its output's name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node of an operator `kind` of ONNX with one output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        made = helper.make_node(kind, inputs, [name], name=name, domain=domain, **attributes)
        self.nodes.append(made)
        return name

    def constant(self, value: npt.ArrayLike, dtype: type = np.float64) -> str:
        """Add a constant of any shape, float64 unless another type is given."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def cast(self, name: str, dtype: int = TensorProto.DOUBLE) -> str:
        """Change the type of a matrix, to float64 unless another one is given."""
        return self.node("Cast", name, to=dtype)

    def finish(self, answer: str, n_inputs: int, n_outputs: int) -> onnx.ModelProto:
        """The model whose output is `answer`, float64 (n_rows, n_outputs)."""
        (output,) = GRAPH_OUTPUTS
        self.nodes.append(helper.make_node("Identity", [answer], [output]))
        put = helper.make_tensor_value_info(GRAPH_INPUT, TensorProto.DOUBLE, ["n_rows", n_inputs])
        got = helper.make_tensor_value_info(output, TensorProto.DOUBLE, ["n_rows", n_outputs])
        graph = helper.make_graph(self.nodes, "scorer", [put], [got], self.constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="fourcycle"
        )


@dataclass(frozen=True)
class InputColumn:
    """One column of the graph's input: a feature looked up in a table, or as it is (None)."""

    feature: str
    keys: tuple[Any, ...] | None = None
    values: tuple[float, ...] = ()  # one for each key, then unseen, then null


@dataclass(frozen=True)
class EncodedMatrix:
    """The encoded matrix: its name in the graph, its columns, and what the graph is fed with.

    Column j of the matrix is column `order[j]` of those that were to be encoded.
    """

    matrix: str
    order: list[int]
    inputs: tuple[InputColumn, ...]


@dataclass(frozen=True)
class OneHotColumn:
    """A column of a one-hot encoder: `high` where the feature's code is this one, else `low`."""

    part: InputColumn
    code: float
    low: float
    high: float


def build_encoders(builder: GraphBuilder, columns: Sequence[Column]) -> EncodedMatrix:
    """Turn the input (n_rows, n_inputs) into the encoded matrix (n_rows, n_columns).

    Its columns may stand in another order than `columns`: see `EncodedMatrix.order`.
    """
    hits = _hits(columns)
    missing = [i for i, c in enumerate(columns) if isinstance(c, RawFeature) and c.missing]
    direct = [i for i in range(len(columns)) if i not in hits and i not in missing]
    inputs: list[InputColumn] = []
    blocks: list[str] = []
    if direct:
        at = [_index(inputs, _part(columns[i])) for i in direct]
        whole = at == list(range(len(inputs))) and len(direct) == len(columns)
        blocks.append(GRAPH_INPUT if whole else _pick(builder, at))
    if hits:
        blocks.append(_one_hot(builder, list(hits.values()), inputs))
    if missing:
        at = [_index(inputs, InputColumn(columns[i].feature)) for i in missing]
        blocks.append(builder.cast(builder.node("IsNaN", _pick(builder, at))))
    matrix = blocks[0] if len(blocks) == 1 else builder.node("Concat", *blocks, axis=1)
    order = [*direct, *hits, *missing]
    return EncodedMatrix(
        _staged(builder, matrix, [columns[i] for i in order]), order, tuple(inputs)
    )


def _hits(columns: Sequence[Column]) -> dict[int, OneHotColumn]:
    """Columns that one code of a feature tells apart, by their number.

    Each has two values, and no value of the feature is `high` in two columns of the group.
    """
    groups: dict[tuple[str, tuple[Any, ...]], list[int]] = {}
    for i, column in enumerate(columns):
        if isinstance(column, LookupTable) and len(set(column.values)) == 2:
            groups.setdefault((column.feature, column.keys), []).append(i)
    hits: dict[int, OneHotColumn] = {}
    for (feature, keys), group in groups.items():
        values = np.array(
            [table.values for i in group if isinstance(table := columns[i], LookupTable)]
        )
        low, high = values.min(axis=1), values.max(axis=1)
        hit = values == high[:, None]  # (n_columns, n_keys + 2)
        if len(group) == 1 or np.isnan(values).any() or hit.sum(axis=0).max() > 1:
            continue
        codes = np.where(hit.any(axis=0), hit.argmax(axis=0), len(group)).astype(float)
        part = InputColumn(feature, keys, tuple(codes.tolist()))
        for code, i in enumerate(group):
            hits[i] = OneHotColumn(part, float(code), float(low[code]), float(high[code]))
    return hits


def _one_hot(builder: GraphBuilder, hits: list[OneHotColumn], inputs: list[InputColumn]) -> str:
    codes = _pick(builder, [_index(inputs, hit.part) for hit in hits])
    own = builder.node("Equal", codes, builder.constant([hit.code for hit in hits]))
    high, low = ([hit.high for hit in hits], [hit.low for hit in hits])
    return builder.node("Where", own, builder.constant(high), builder.constant(low))


def _part(column: Column) -> InputColumn:
    if isinstance(column, RawFeature):
        return InputColumn(column.feature)
    return InputColumn(column.feature, column.keys, column.values)


def _index(inputs: list[InputColumn], part: InputColumn) -> int:
    if part not in inputs:
        inputs.append(part)
    return inputs.index(part)


def _pick(builder: GraphBuilder, at: list[int]) -> str:
    return builder.node("Gather", GRAPH_INPUT, builder.constant(at, np.int64), axis=1)


def _staged(builder: GraphBuilder, matrix: str, columns: Sequence[Column]) -> str:
    """Fill, shift and scale whole columns, stage by stage; what changes nothing is left out."""
    stages = [c.stages if isinstance(c, RawFeature) else () for c in columns]
    for depth in range(max(map(len, stages))):
        at = [s[depth] if depth < len(s) else ScalingStage() for s in stages]
        fill = np.array([s.fill for s in at], dtype=float)
        if not np.isnan(fill).all():
            filled = builder.constant(fill)
            matrix = builder.node("Where", builder.node("IsNaN", matrix), filled, matrix)
        if any(s.shift for s in at):
            matrix = builder.node("Sub", matrix, builder.constant([s.shift for s in at]))
        if any(s.scale != 1 for s in at):
            matrix = builder.node("Div", matrix, builder.constant([s.scale for s in at]))
    return matrix
