"""What one report says, as a JSON document and as MLflow metrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from contract.names import file_name
from contract.store.sql import unlike
from monitoring.measures.observe import ObservedWindow
from monitoring.measures.tally import ColumnSummary
from monitoring.report.evidently_pages import EvidentlyPages
from monitoring.verdict.judge import JudgedWindow

LONGEST_KEY = 240  # characters; MLflow takes 250


@dataclass(frozen=True)
class WindowReport:
    """One revision of the report on one version's window."""

    observed: ObservedWindow
    judged: JudgedWindow
    evidently: EvidentlyPages
    revision: int
    content: str  # what it rests on, as a hash


def document(report: WindowReport) -> dict[str, Any]:
    """All figures as plain values; undefined ones are null."""
    observed, judged, pages = report.observed, report.judged, report.evidently
    performance = asdict(judged.performance) if judged.performance else None
    figures = {
        "use_case": observed.served.use_case.name,
        "version": observed.served.version,
        "window": observed.title,
        "start": observed.start.isoformat() if observed.start else None,
        "end": observed.end.isoformat() if observed.end else None,
        "rows": observed.counts.rows,
        "revision": report.revision,
        "verdict": asdict(judged.verdict),
        "schema": list(judged.evidence.schema),
        "findings": [asdict(f) for f in judged.evidence.findings],
        "performance": performance,
        "columns": {n: _column(s) for n, s in judged.window.features.items()},
        "notes": dict(judged.notes),
        "evidently": {"rows": pages.rows, "left_out": dict(pages.left_out)},
    }
    plain: dict[str, Any] = _plain(figures)
    return plain


def metrics(report: WindowReport) -> dict[str, float]:
    """The figures that MLflow plots over time."""
    judged = report.judged
    figures: dict[str, float] = {
        "rows": report.observed.counts.rows,
        "signals": len(judged.verdict.signals),
        "alarms": len(judged.verdict.alarms),
    }
    for finding in judged.evidence.findings:
        change = finding.change
        group = "effect" if change.role == "columns" else "effect_answers"
        figures[f"{group}/{change.name}"] = change.effect
    for name, summary in judged.window.features.items():
        figures[f"null_share/{name}"] = summary.null_share
        figures[f"mean/{name}"] = summary.mean
    performance = judged.performance
    if performance:
        for group, values in (
            ("realised", performance.realised),
            ("estimated", performance.estimated),
            ("estimate_error", performance.error),
        ):
            figures |= {f"{group}/{name}": value for name, value in values.items()}
        fall = performance.realised_fall
        if fall:
            figures["label_coverage"] = fall.coverage
            figures[f"realised/{fall.metric}_low"] = fall.value_low
            figures[f"realised/{fall.metric}_high"] = fall.value_high
    keyed: dict[str, float] = {}
    for name, value in figures.items():
        if np.isfinite(value):
            keyed[unlike(_key(name), keyed)] = value
    return keyed


def _column(summary: ColumnSummary) -> dict[str, Any]:
    return {
        "rows": summary.rows,
        "nulls": summary.nulls,
        "low": summary.low,
        "high": summary.high,
        "mean": summary.mean,
        "cells": dict(zip(summary.cells.names, summary.counts.tolist(), strict=True)),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _key(name: str) -> str:
    """A name that MLflow takes for a metric: `mean/size`."""
    group, slash, rest = name[:LONGEST_KEY].partition("/")
    return f"{group}{slash}{file_name(rest)}"
