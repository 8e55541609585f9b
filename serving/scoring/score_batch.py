"""Answers to columns of Arrow: whole columns at a time, the same as `Scorer.score` gives to lists.

Whoever has a table asks this: files of a batch, holdouts, logged traffic, the shadow. Each distinct
value is looked up once, in the table that a request is answered by.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contract.errors import Refused
from contract.store.frames import derived_columns, plain_values, whole
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


@runtime_checkable
class AnswersArrays(Protocol):
    """A model beside the graph that takes columns of Arrow as they are."""

    def of_arrays(self, columns: Mapping[str, pa.Array]) -> Floats:
        """Its answer, (n_rows, n_outputs)."""


def score_batch(
    scorer: Scorer, rows: pa.RecordBatch | pa.Table, use_case: UseCase
) -> pa.RecordBatch:
    """`prediction`, in its declared type, then for a classifier `probability_<class>` for each
    class, (n_rows,) each.

    The rows hold the columns that the scorer reads in their declared types, as `check_batch` and
    our tables give them. Refused where the model gives no finite number for each row and class.
    """
    numbers = outputs(scorer, rows)
    kind = TYPES[use_case.answer_type]
    if not scorer.classes:
        return pa.record_batch({"prediction": pa.array(numbers[:, 0]).cast(kind)})
    likeliest = pa.array(numbers.argmax(axis=1))  # the first of several
    columns = {"prediction": pa.array(scorer.classes, kind).take(likeliest)}
    for at, name in enumerate(scorer.classes):
        columns[f"probability_{name}"] = pa.array(np.ascontiguousarray(numbers[:, at]))
    return pa.record_batch(columns)


def outputs(scorer: Scorer, rows: pa.RecordBatch | pa.Table) -> Floats:
    """What the model gives, (n_rows, n_outputs): probabilities, or the number of a regression.

    Refused where one of them is not finite.
    """
    run: Any = scorer.run
    columns = {name: whole(rows.column(name)) for name in scorer.features}
    if isinstance(run, Deriving):
        run, columns = run.run, derived_columns(columns, run.derive)
    numbers, ask = np.empty((rows.num_rows, len(scorer.classes) or 1)), _asking(run, columns)
    for at in range(0, rows.num_rows, CHUNK_ROWS):  # the parts in which lists are asked
        answer, part = ask(at), numbers[at : at + CHUNK_ROWS]
        if answer.shape != part.shape:
            raise Refused(NO_ANSWER)
        part[:] = answer
    if not np.isfinite(numbers).all():
        raise Refused(NO_ANSWER)
    return numbers


def _asking(run: Any, columns: Mapping[str, pa.Array]) -> Callable[[int], Floats]:
    """What the model gives to the part that begins at a row, (n_part, n_outputs)."""

    def part(at: int) -> dict[str, pa.Array]:
        return {name: values.slice(at, CHUNK_ROWS) for name, values in columns.items()}

    if isinstance(run, Graph):
        session, known = run.session, matrix(columns, run)
        return lambda at: session.run(GRAPH_OUTPUTS, {GRAPH_INPUT: known[at : at + CHUNK_ROWS]})[0]
    if isinstance(run, LeafMasks):
        rows = np.array([_rows_of_masks(columns[p.feature], p) for p in run.many]).T
        return lambda at: run.of_rows(rows[at : at + CHUNK_ROWS])
    if isinstance(run, AnswersArrays):
        return lambda at: run.of_arrays(part(at))
    return lambda at: run({name: plain_values(values) for name, values in part(at).items()})


def matrix(columns: Mapping[str, pa.Array], graph: Graph) -> Floats:
    """The graph's input, (n_rows, n_inputs), NaN where a number is null."""
    n_rows = len(next(iter(columns.values())))
    made: Floats = np.empty((n_rows, len(graph.inputs)))
    for at, part in enumerate(graph.inputs):
        made[:, at] = _input(columns[part.feature], part)
    return made


def _input(values: pa.Array, part: GraphInput) -> Floats:
    """One column of the input, (n_rows,)."""
    if part.table is None:
        return _numbers(values)
    return _looked_up(values, part.table, part.unseen).astype(float)


def _rows_of_masks(values: pa.Array, part: RowsInput) -> npt.NDArray[Any]:
    """Which row of masks each value has, (n_rows,)."""
    if part.known is None:
        return part.of_numbers(_numbers(values))
    return _looked_up(values, part.known, int(part.rows[0]))


def _numbers(values: pa.Array) -> Floats:
    numbers: Floats = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _looked_up(values: pa.Array, table: Mapping[Any, float], unseen: float) -> npt.NDArray[Any]:
    """What a table has for each value, (n_rows,); each distinct one is looked up once."""
    encoded = values.dictionary_encode()
    distinct = [*encoded.dictionary.to_pylist(), None]
    found = np.array([table.get(value, unseen) for value in distinct])
    looked_up: npt.NDArray[Any] = found[encoded.indices.fill_null(len(distinct) - 1).to_numpy()]
    return looked_up
