"""A scorer answers checked columns with lists: pure, thread-safe, no scikit-learn and no pandas.

The compiled one looks each value up in a table, or takes the number as it is, and hands one float64
matrix to an ONNX graph, which does everything else: encoding, trees or weights, the link. Small
trees are answered by masks of their leaves in its place (serving.scoring.leaf_masks).
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from contract.errors import Refused
from contract.use_case.features import Columns, FeatureDerivation, derivation
from contract.use_case.model import UseCase
from serving.scoring.leaf_masks import MASKS_FILE, open_masks

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Floats = npt.NDArray[np.float64]
Answer = TypeVar("Answer")

FORMAT = 1  # of scorer.json; that of release 0.2.0 does not say it yet
SCORER_FILE = "scorer.json"
GRAPH_FILE = "model.onnx"
GRAPH_INPUT = "columns"
GRAPH_OUTPUTS = ["answer"]
CHUNK_ROWS = 2048  # bounds the memory of one request, whatever its rows
NO_ANSWER = "The model gave no usable answer, a finite number for each row and class."


@dataclass(frozen=True, slots=True)
class Predictions:
    """One prediction for each row; classifiers also a probability for each class, in order."""

    prediction: list[Any]
    probability: list[list[float]] | None


@dataclass(frozen=True, slots=True)
class Scorer:
    """Answers rows of `features`, as it calls the columns that it reads; `classes` is empty for a
    regression.

    `run` gives probabilities (n_rows, n_classes), or the numbers of a regression (n_rows, 1);
    `run_one` what it gives for one row, (n_classes,) or (1,), where there is a faster way.
    """

    features: tuple[str, ...]
    classes: tuple[Any, ...]
    run: Callable[[Columns], Floats]
    run_one: Callable[[Columns], list[float]] | None = None

    def score(self, columns: Columns) -> Predictions:
        """Answers in the order of the rows, from one list of (n_rows,) values for each feature.

        A class is the likeliest one, the first of several. Refused where the columns differ in
        length, or where the model gives no finite number for each row and class.
        """
        lengths = set(map(len, map(columns.__getitem__, self.features)))
        if len(lengths) != 1:
            raise Refused(f"Columns of one length are needed, found lengths {sorted(lengths)}.")
        (n_rows,) = lengths
        if n_rows > CHUNK_ROWS:
            return self._in_chunks(columns, n_rows)
        if n_rows == 1 and self.run_one:
            numbers = [self.run_one(columns)]
            shape: tuple[int, ...] = (1, len(numbers[0]))
        else:
            answer = self.run(columns)
            numbers, shape = answer.tolist(), answer.shape
        whole = shape == (n_rows, len(self.classes) or 1)
        if not whole or not all(map(math.isfinite, chain.from_iterable(numbers))):
            raise Refused(NO_ANSWER)
        if not self.classes:
            return Predictions([number for (number,) in numbers], None)
        classes, probability = self.classes, numbers
        return Predictions([classes[row.index(max(row))] for row in probability], probability)

    def _in_chunks(self, columns: Columns, n_rows: int) -> Predictions:
        parts = [
            self.score({n: columns[n][at : at + CHUNK_ROWS] for n in self.features})
            for at in range(0, n_rows, CHUNK_ROWS)
        ]
        probability = [row for part in parts for row in part.probability or []]
        prediction = [value for part in parts for value in part.prediction]
        return Predictions(prediction, probability if self.classes else None)


def deriving(scorer: Scorer, use_case: UseCase) -> Scorer:
    """The scorer of what callers send, which computes the features that `scorer` answers.

    It itself where nothing is computed.
    """
    derive = derivation(use_case)
    if derive is None:
        return scorer
    one = Deriving(derive, scorer.run_one) if scorer.run_one else None
    return Scorer(use_case.inputs, scorer.classes, Deriving(derive, scorer.run), one)


@dataclass(frozen=True)
class Deriving(Generic[Answer]):
    """Computes features of what callers send, and runs a model on them."""

    derive: FeatureDerivation
    run: Callable[[Columns], Answer]

    def __call__(self, columns: Columns) -> Answer:
        """The model's answer."""
        return self.run(self.derive(columns))


@dataclass(frozen=True, slots=True)
class GraphInput:
    """One column of the graph's input: a feature looked up in a table, or as it is (None).

    The table maps every known value, and None, to its number; any other value is `unseen`.
    """

    feature: str
    table: dict[Any, float] | None
    unseen: float


@dataclass(frozen=True, slots=True)
class Graph:
    """The inputs and the session that together answer columns."""

    inputs: tuple[GraphInput, ...]
    session: "InferenceSession"

    def __call__(self, columns: Columns) -> Floats:
        """The graph's answer, (n_rows, n_outputs)."""
        flat: list[float | None] = []
        for part in self.inputs:
            values, table = columns[part.feature], part.table
            if table is None:
                flat += values
            else:
                unseen, look = part.unseen, table.get
                flat += [look(value, unseen) for value in values]
        # None becomes NaN. One flat list is read four times faster than a list of lists.
        matrix = np.array(flat, dtype=np.float64).reshape(len(self.inputs), -1).T
        feed = {GRAPH_INPUT: np.ascontiguousarray(matrix)}
        answer: Floats = self.session.run(GRAPH_OUTPUTS, feed)[0]
        return answer


def load_scorer(folder: Path) -> Scorer:
    """The compiled scorer of a package's folder `scorer`.

    OSError where a file is missing, ValueError or KeyError where it can't be read.
    """
    plan = json.loads((folder / SCORER_FILE).read_text(encoding="utf-8"))
    masks = folder / MASKS_FILE  # of a release that did not know them, or of another graph: none
    packed = masks.read_bytes() if masks.is_file() else None
    return open_scorer(plan, (folder / GRAPH_FILE).read_bytes(), packed)


def open_scorer(plan: dict[str, Any], graph: bytes, masks: bytes | None = None) -> Scorer:
    """The scorer that feeds an ONNX graph (its bytes) with the inputs of a plan (scorer.json), or,
    where there are some, masks of the leaves that the graph sums.

    Refused where a later release wrote it, KeyError where the plan lacks a member, ValueError where
    the graph can't be run.
    """
    if (found := plan.get("format", 1)) != FORMAT:
        raise Refused(
            f"its scorer has format {found} of a newer Fourcycle; this one reads {FORMAT}."
        )
    inputs = tuple(_input(part) for part in plan["inputs"])
    features, classes = tuple(plan["features"]), tuple(plan["classes"])
    if masks is None:
        return Scorer(features, classes, Graph(inputs, open_session(graph)))
    opened = open_masks(masks, [(part["feature"], part.get("keys")) for part in plan["inputs"]])
    return Scorer(features, classes, opened, opened.run_one)


def open_session(graph: bytes) -> "InferenceSession":
    """An ONNX Runtime session on the caller's thread alone; ValueError where it can't run it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own types, one for each status, share no other base
        raise ValueError(f"{GRAPH_FILE} is no graph that ONNX Runtime can run: {error}") from error


def _input(part: dict[str, Any]) -> GraphInput:
    if "keys" not in part:
        return GraphInput(part["feature"], None, np.nan)
    *values, unseen, null = (np.nan if value is None else value for value in part["values"])
    return GraphInput(
        part["feature"], dict(zip(part["keys"], values, strict=True)) | {None: null}, unseen
    )
