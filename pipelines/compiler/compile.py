"""Compile a fitted pipeline into the scorer that serves: tables, one ONNX graph, no code."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import onnx
import pyarrow as pa
from sklearn.pipeline import Pipeline

from contract.errors import Refused
from contract.store.frames import feature_rows
from contract.use_case.features import Columns
from contract.use_case.model import UseCase
from pipelines.compiler.columns import Column, RawFeature, features_of, refused
from pipelines.compiler.encoders.registry import encode
from pipelines.compiler.estimators.registry import build_estimator
from pipelines.compiler.golden import golden_rows
from pipelines.compiler.leaf_masks import leaf_masks
from pipelines.compiler.onnx_graph import GraphBuilder, InputColumn, build_encoders
from pipelines.compiler.parity import Parity, prove
from serving.scoring.leaf_masks import MASKS_FILE
from serving.scoring.own_code import OwnClass
from serving.scoring.scorer import (
    FORMAT,
    GRAPH_FILE,
    SCORER_FILE,
    Scorer,
    deriving,
    open_scorer,
)
from serving.scoring.sklearn_scorer import classes_of, pipeline_scorer
from serving.scoring.version import GOLDEN_FILE, PARITY_FILE


@dataclass(frozen=True)
class CompiledScorer:
    """A scorer as it is stored, and the values of features at which its trees split."""

    features: tuple[str, ...]
    inputs: tuple[InputColumn, ...]
    classes: tuple[Any, ...]
    graph: onnx.ModelProto
    thresholds: dict[str, list[float]]

    def plan(self) -> dict[str, Any]:
        """What the graph is to be fed with, as JSON."""
        return {
            "format": FORMAT,
            "features": self.features,
            "classes": self.classes,
            "inputs": [_plain(part) for part in self.inputs],
        }


@dataclass(frozen=True)
class WrittenScorer:
    """What a package's folder `scorer` holds: the proof, and why it can't serve ("": it can)."""

    parity: Parity | None
    not_compiled: str


def write_scorer(
    folder: Path,
    model: Pipeline,
    use_case: UseCase,
    holdout: pa.Table,
    own: OwnClass | None = None,
) -> WrittenScorer:
    """Compile a fitted pipeline, prove that it answers the same, write scorer and golden rows.

    `folder` must not exist. Of a pipeline that can't be compiled, or whose proof fails, the reason
    is written in place of the graph; nothing is raised for that. An estimator of the user's `own`
    class is told by the hash of its code.
    """
    folder.mkdir()
    pipeline = pipeline_scorer(model, use_case)
    golden = golden_rows(holdout, use_case)
    answers = deriving(pipeline, use_case).score(golden)
    _write(folder / GOLDEN_FILE, {"columns": golden, **asdict(answers)})
    columns = feature_rows(holdout, use_case).to_pydict()
    try:
        compiled = _compiled(model, use_case, own)
        files = _files(compiled)
        parity = _proof(compiled, files, pipeline, use_case, columns)
    except (Refused, ValueError) as error:  # the version is packaged all the same
        reason = " ".join(str(error).split())
        told = {"own_class": own.record()} if own else {}
        _write(folder / SCORER_FILE, {"not_compiled": reason, **told})
        return WrittenScorer(None, reason)
    for file_name, content in files.items():
        (folder / file_name).write_bytes(content)
    proof = _write(folder / PARITY_FILE, parity.record())
    reason = "" if parity.holds else f"Compiling went wrong: {parity.line()}."
    _write(folder / SCORER_FILE, compiled.plan() | {"not_compiled": reason, "parity": proof})
    return WrittenScorer(parity, reason)


def scorer_of(model: Pipeline, use_case: UseCase, own: OwnClass | None = None) -> Scorer:
    """What will answer for a fitted pipeline: its compiled scorer, not proved; the pipeline itself
    where it can't be compiled."""
    try:
        compiled = _compiled(model, use_case, own)
        files = _files(compiled)
        scorer = open_scorer(compiled.plan(), files[GRAPH_FILE], files.get(MASKS_FILE))
    except (Refused, ValueError):  # its package says why
        scorer = pipeline_scorer(model, use_case)
    return deriving(scorer, use_case)


def _compiled(model: Pipeline, use_case: UseCase, own: OwnClass | None) -> CompiledScorer:
    """Refused, too, for the user's own class, even where it derives from a known one: it may answer
    in another way."""
    if own:
        name, estimator = model.steps[-1]
        raise refused(name, estimator, f"its class is one's own, of {own.file}")
    return compile_pipeline(model, use_case)


def _files(compiled: CompiledScorer) -> dict[str, bytes]:
    """The graph, and masks of its leaves where its trees are small, by file."""
    files = {GRAPH_FILE: compiled.graph.SerializeToString()}
    if masks := leaf_masks(compiled.graph, compiled.inputs):
        files[MASKS_FILE] = masks.pack()
    return files


def _proof(
    compiled: CompiledScorer,
    files: Mapping[str, bytes],
    pipeline: Scorer,
    use_case: UseCase,
    holdout: Columns,
) -> Parity:
    """The proof of the graph, and of its masks: releases that do not know them read the graph."""
    plan, graph = compiled.plan(), files[GRAPH_FILE]
    against = pipeline, use_case, holdout, compiled.thresholds
    proof = prove(open_scorer(plan, graph), *against)
    if masks := files.get(MASKS_FILE):
        proof = proof.joined(prove(open_scorer(plan, graph, masks), *against), "by masks")
    return proof


def _write(file: Path, value: dict[str, Any]) -> str:
    """Write JSON; its SHA-256."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=datetime.isoformat)
    file.write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def compile_pipeline(model: Pipeline, use_case: UseCase) -> CompiledScorer:
    """The scorer of a fitted pipeline; Refused names the step that can't be compiled."""
    *encoders, (name, estimator) = model.steps
    columns = features_of(use_case)
    for step, fitted in encoders:
        columns = encode(step, fitted, columns)
    for column in columns:
        if isinstance(column, RawFeature) and column.text and not column.missing:
            raise refused(name, estimator, f"{column.feature!r} gets there as text")
    builder = GraphBuilder()
    encoded = build_encoders(builder, columns)
    answer = build_estimator(builder, name, estimator, encoded.matrix, encoded.order)
    return CompiledScorer(
        features=use_case.features,
        inputs=encoded.inputs,
        classes=classes_of(model, use_case),
        graph=builder.finish(answer.name, len(encoded.inputs), answer.width),
        thresholds=_thresholds([columns[i] for i in encoded.order], answer.splits),
    )


def _thresholds(
    columns: Sequence[Column], splits: dict[int, list[float]]
) -> dict[str, list[float]]:
    """Split values of encoded columns as values of their features, ascending."""
    thresholds: dict[str, set[float]] = {}
    for at, values in splits.items():
        column = columns[at]
        if isinstance(column, RawFeature) and not column.missing:
            thresholds.setdefault(column.feature, set()).update(
                _unstaged(column, v) for v in values
            )
    return {feature: sorted(values) for feature, values in thresholds.items()}


def _unstaged(column: RawFeature, value: float) -> float:
    for stage in reversed(column.stages):
        value = value * stage.scale + stage.shift
    return value


def _plain(part: InputColumn) -> dict[str, Any]:
    """An input as JSON, where NaN is null."""
    if part.keys is None:
        return {"feature": part.feature}
    values = [None if math.isnan(value) else value for value in part.values]
    return {"feature": part.feature, "keys": part.keys, "values": values}
