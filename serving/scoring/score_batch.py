"""Answers to columns of Arrow: whole columns at a time, the same as `Scorer.score` gives to lists.

Each distinct value is looked up once, in the table that a request is answered by.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contract.errors import Refused
from contract.store.frames import derived_columns, plain_values
from contract.store.schema import TYPES
from contract.use_case.model import UseCase
from serving.scoring.leaf_masks import LeafMasks, RowsInput
from serving.scoring.scorer import (
    CHUNK_ROWS,
    GRAPH_INPUT,
    GRAPH_OUTPUTS,
    NO_ANSWER,
    Deriving,
    Floats,
    Graph,
    GraphInput,
    Scorer,
)


def score_batch(scorer: Scorer, rows: pa.RecordBatch, use_case: UseCase) -> pa.RecordBatch:
    """`prediction`, in its declared type, then for a classifier `probability_<class>` for each
    class, (n_rows,) each.

    The rows hold the columns that the scorer reads in their declared types, as `check_batch` gives
    them. Refused where the model gives no finite number for each row and class.
    """
    numbers = _numbers(scorer, rows)
    kind = TYPES[use_case.answer_type]
    if not scorer.classes:
        return pa.record_batch({"prediction": pa.array(numbers[:, 0]).cast(kind)})
    likeliest = pa.array(numbers.argmax(axis=1))  # the first of several
    columns = {"prediction": pa.array(scorer.classes, kind).take(likeliest)}
    for at, name in enumerate(scorer.classes):
        columns[f"probability_{name}"] = pa.array(np.ascontiguousarray(numbers[:, at]))
    return pa.record_batch(columns)


def _numbers(scorer: Scorer, rows: pa.RecordBatch) -> Floats:
    """What the model gives, (n_rows, n_outputs)."""
    model, columns = scorer.run, {name: rows.column(name) for name in scorer.features}
    n_outputs = len(scorer.classes) or 1
    if isinstance(model, Deriving) and isinstance(model.run, LeafMasks | Graph):
        columns = derived_columns(columns, model.derive)
        model = model.run
    if isinstance(model, LeafMasks):
        found = [_masks(columns[part.feature], part) for part in model.many]
        numbers = model.of_rows(np.array(found).T)
    elif isinstance(model, Graph):
        numbers = _in_chunks(matrix(columns, model, rows.num_rows), model)
    else:
        return _by_lists(scorer, columns, n_outputs)
    if numbers.shape != (rows.num_rows, n_outputs) or not np.isfinite(numbers).all():
        raise Refused(NO_ANSWER)
    return numbers


def _in_chunks(known: Floats, graph: Graph) -> Floats:
    """The graph's answers to its input, (n_rows, n_outputs)."""
    parts = [known[at : at + CHUNK_ROWS] for at in range(0, max(1, len(known)), CHUNK_ROWS)]
    return np.concatenate(
        [graph.session.run(GRAPH_OUTPUTS, {GRAPH_INPUT: part})[0] for part in parts]
    )


def matrix(columns: Mapping[str, pa.Array], graph: Graph, n_rows: int) -> Floats:
    """The graph's input, (n_rows, n_inputs), NaN where a number is null."""
    made: Floats = np.empty((n_rows, len(graph.inputs)))
    for at, part in enumerate(graph.inputs):
        made[:, at] = _input(columns[part.feature], part)
    return made


def _input(values: pa.Array, part: GraphInput) -> Floats:
    """One column of the input, (n_rows,)."""
    if part.table is None:
        return _floats(values)
    return _looked_up(values, part.table, part.unseen).astype(float)


def _masks(values: pa.Array, part: RowsInput) -> npt.NDArray[np.int64]:
    """The rows of masks of one column, (n_rows,)."""
    if part.known is None:
        return part.of_numbers(_floats(values))
    return _looked_up(values, part.known, int(part.rows[0]))


def _floats(values: pa.Array) -> Floats:
    numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _looked_up(values: pa.Array, table: Mapping[Any, float], unseen: float) -> npt.NDArray[Any]:
    """What a table holds for each value, or for null, (n_rows,)."""
    encoded = values.dictionary_encode()
    distinct = [*encoded.dictionary.to_pylist(), None]
    found = np.array([table.get(value, unseen) for value in distinct])
    looked_up: npt.NDArray[Any] = found[encoded.indices.fill_null(len(distinct) - 1).to_numpy()]
    return looked_up


def _by_lists(scorer: Scorer, columns: Mapping[str, pa.Array], n_outputs: int) -> Floats:
    """What a pipeline that was not compiled gives."""
    plain = {name: plain_values(values) for name, values in columns.items()}
    answers = scorer.score(plain)
    given = answers.probability if scorer.classes else answers.prediction
    return np.asarray(given, dtype=float).reshape(-1, n_outputs)
