"""One version's window judged: exact counts, labels so far, estimates, slices, and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from contract.statistics.metrics import defined, metrics_for, point
from contract.store.schema import TYPES
from contract.use_case.model import UseCase
from monitoring.measures.answers import classes_of, of_holdout, of_window
from monitoring.measures.compare import ColumnSummaries, changes, note
from monitoring.measures.estimate import estimate_of
from monitoring.measures.observe import ObservedWindow
from monitoring.measures.performance import (
    PerformanceFall,
    WindowAnswers,
    WindowSlice,
    as_estimated,
    baseline,
    fall,
    slices,
)
from monitoring.measures.tally import ColumnSummary, summarise
from monitoring.verdict.evidence import DriftVerdict, PastVerdict, WindowEvidence
from monitoring.verdict.verdict import decide, find
from monitoring.windows.reference import Reference, Rows

SLICE_MIN_LABELS = 30


@dataclass(frozen=True)
class Performance:
    """The answers of a window: realised where labels have arrived, estimated for all rows."""

    rows: int  # answered rows that were looked at: all, or a sample
    realised: Mapping[str, float]
    estimated: Mapping[str, float]
    error: Mapping[str, float]  # estimated minus realised, both on the rows with labels
    realised_fall: PerformanceFall | None
    estimated_fall: PerformanceFall | None
    slices: tuple[WindowSlice, ...]


@dataclass(frozen=True)
class JudgedWindow:
    """The verdict on a window with all that it rests on."""

    verdict: DriftVerdict
    evidence: WindowEvidence
    window: ColumnSummaries
    frozen: ColumnSummaries | None
    performance: Performance | None
    notes: Mapping[str, str]


def judge(observed: ObservedWindow, past: Sequence[PastVerdict]) -> JudgedWindow:
    """The verdict on one version's window; `past` are the earlier judged windows, newest last."""
    counts, sample, frozen = observed.counts, observed.sample, observed.frozen
    use_case, reference = observed.served.use_case, observed.served.reference
    policy = use_case.monitoring
    if reference is None or frozen is None or counts.rows < policy.min_rows:
        evidence = WindowEvidence(counts.rows, reference=reference is not None)
        verdict = decide(evidence, past, policy)
        return JudgedWindow(verdict, evidence, counts.columns, frozen, None, {})
    performance = measure(sample, reference, use_case)
    window = replace(counts.columns, label=_labels(sample, frozen, performance, use_case))
    evidence = WindowEvidence(
        counts.rows,
        find(changes(frozen, window, policy), policy),
        performance.realised_fall,
        performance.estimated_fall,
        tuple(observed.schema.values()),
    )
    notes = {name: note(frozen.features.get(name), s) for name, s in window.features.items()}
    notes = {name: text for name, text in notes.items() if text} | dict(observed.schema)
    verdict = decide(evidence, past, policy)
    return JudgedWindow(verdict, evidence, window, frozen, performance, notes)


def measure(sample: Rows, reference: Reference, use_case: UseCase) -> Performance:
    """Realised and estimated performance on a sample of a window."""
    classes = classes_of(reference.holdout.answers, use_case)
    holdout = of_holdout(reference.holdout.answers, use_case)
    base = baseline(use_case, holdout)
    arrived = sample.answers["label"].notna().to_numpy(dtype=bool)
    labelled, rows = of_window(sample.answers[arrived], use_case, classes), int(arrived.sum())
    realised: dict[str, float] = {}
    estimated: dict[str, float] = {}
    error: dict[str, float] = {}
    falls: list[PerformanceFall | None] = [None, None]
    if rows:
        metrics = metrics_for(use_case, labelled)
        realised, falls[0] = defined(point(metrics, rows)), fall(base, metrics, rows, len(sample))
    estimate = estimate_of(reference.holdout, holdout, use_case)
    if estimate and len(sample):
        expected = estimate.of(sample)
        estimated = defined(point(expected, len(sample)))
        if base.metric in expected:
            there = defined(point(estimate.of_holdout, len(holdout.label)))
            seen = as_estimated(base, there.get(base.metric, base.value))
            falls[1] = fall(seen, expected, len(sample), len(sample))
        if rows:
            known = Rows(sample.inputs[arrived], sample.answers[arrived])
            here = defined(point(estimate.of(known), rows))
            error = {n: v - realised[n] for n, v in here.items() if n in realised}
    columns = slice_columns(use_case, sample.inputs, reference.holdout.inputs)
    sliced = slices(
        use_case,
        columns,
        WindowAnswers(_texts(sample.inputs, columns), arrived, labelled),
        WindowAnswers(
            _texts(reference.holdout.inputs, columns),
            np.ones(len(holdout.label), dtype=bool),
            holdout,
        ),
        SLICE_MIN_LABELS,
    )
    return Performance(len(sample), realised, estimated, error, falls[0], falls[1], sliced)


def slice_columns(use_case: UseCase, window: pd.DataFrame, holdout: pd.DataFrame) -> list[str]:
    """The declared slices that both sides have."""
    declared = use_case.monitoring.slices
    names = use_case.evaluation.slices if declared is None else declared
    return [name for name in names if name in window and name in holdout]


def _labels(
    sample: Rows, frozen: ColumnSummaries, performance: Performance, use_case: UseCase
) -> ColumnSummary | None:
    """Labels as a column of the window, once enough of them have arrived to speak for it."""
    realised = performance.realised_fall
    if frozen.label is None or realised is None or not realised.enough(use_case.monitoring):
        return None
    kind = TYPES[use_case.columns[use_case.target].type]
    values = sample.answers["label"].dropna().tolist()
    return summarise(frozen.label.cells, pa.array(values, type=kind))


def _texts(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, list[str]]:
    return {name: frame[name].astype(str).tolist() for name in columns}
