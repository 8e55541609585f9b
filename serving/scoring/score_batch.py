"""Answers to columns of Arrow: whole columns at a time, the same as `Scorer.score` gives to lists.

Each distinct value is looked up once, in the table that a request is answered by.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from contract.errors import Refused
from contract.store.frames import derived_columns, plain_values
from contract.store.schema import TYPES
from contract.use_case.model import UseCase
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
    run, columns = scorer.run, {name: rows.column(name) for name in scorer.features}
    n_outputs = len(scorer.classes) or 1
    if isinstance(run, Deriving) and isinstance(run.run, Graph):
        graph, columns = run.run, derived_columns(columns, run.derive)
    elif isinstance(run, Graph):
        graph = run
    else:
        return _by_lists(scorer, columns, n_outputs)
    numbers = np.empty((rows.num_rows, n_outputs))
    known = matrix(columns, graph, rows.num_rows)
    for at in range(0, rows.num_rows, CHUNK_ROWS):
        feed = {GRAPH_INPUT: known[at : at + CHUNK_ROWS]}
        answer = graph.session.run(GRAPH_OUTPUTS, feed)[0]
        if answer.shape != numbers[at : at + CHUNK_ROWS].shape:
            raise Refused(NO_ANSWER)
        numbers[at : at + CHUNK_ROWS] = answer
    if not np.isfinite(numbers).all():
        raise Refused(NO_ANSWER)
    return numbers


def matrix(columns: Mapping[str, pa.Array], graph: Graph, n_rows: int) -> Floats:
    """The graph's input, (n_rows, n_inputs), NaN where a number is null."""
    made: Floats = np.empty((n_rows, len(graph.inputs)))
    for at, part in enumerate(graph.inputs):
        made[:, at] = _input(columns[part.feature], part)
    return made


def _input(values: pa.Array, part: GraphInput) -> Floats:
    """One column of the input, (n_rows,)."""
    if part.table is None:
        numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return numbers
    encoded = values.dictionary_encode()
    distinct = [*encoded.dictionary.to_pylist(), None]
    found = np.array([part.table.get(value, part.unseen) for value in distinct], dtype=float)
    looked_up: Floats = found[encoded.indices.fill_null(len(distinct) - 1).to_numpy()]
    return looked_up


def _by_lists(scorer: Scorer, columns: Mapping[str, pa.Array], n_outputs: int) -> Floats:
    """What a pipeline that was not compiled gives."""
    plain = {name: plain_values(values) for name, values in columns.items()}
    answers = scorer.score(plain)
    given = answers.probability if scorer.classes else answers.prediction
    return np.asarray(given, dtype=float).reshape(-1, n_outputs)
