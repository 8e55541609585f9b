"""What one report says, as a JSON document and as MLflow metrics."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from contract.names import file_name
from contract.store.tables import unlike
from monitoring.measures.tally import ColumnSummary
from monitoring.verdict.judge import JudgedWindow

LONGEST_KEY = 240  # characters; MLflow takes 250


@dataclass(frozen=True)
class WindowReport:
    """One revision of the report on one version's window."""

    use_case: str
    version: str
    window: str
    start: datetime | None
    end: datetime | None
    rows: int
    judged: JudgedWindow
    revision: int
    evidently_rows: int  # of the window, that Evidently's pages show; 0: no pages
    left_out: Mapping[str, str]  # columns that Evidently's pages lack, and why
    labels_until: datetime | None = None  # time of the newest label; None: there is none


def document(report: WindowReport) -> dict[str, Any]:
    """All figures as plain values; undefined ones are null."""
    judged = report.judged
    performance = asdict(judged.performance) if judged.performance else None
    found = {
        "use_case": report.use_case,
        "version": report.version,
        "window": report.window,
        "start": report.start.isoformat() if report.start else None,
        "end": report.end.isoformat() if report.end else None,
        "rows": report.rows,
        "revision": report.revision,
        "verdict": asdict(judged.verdict),
        "schema": list(judged.evidence.schema),
        "findings": [asdict(f) for f in judged.evidence.findings],
        "performance": performance,
        "columns": {n: _column(s) for n, s in judged.window.features.items()},
        "notes": dict(judged.notes),
        "evidently": {"rows": report.evidently_rows, "left_out": dict(report.left_out)},
    }
    plain: dict[str, Any] = _plain(found)
    return plain


def metrics(report: WindowReport) -> dict[str, float]:
    """The figures that MLflow plots over time."""
    judged = report.judged
    found: dict[str, float] = {
        "rows": report.rows,
        "signals": len(judged.verdict.signals),
        "alarms": len(judged.verdict.alarms),
    }
    for finding in judged.evidence.findings:
        change = finding.change
        group = "effect" if change.role == "columns" else "effect_answers"
        found[f"{group}/{change.name}"] = change.effect
    for name, summary in judged.window.features.items():
        found[f"null_share/{name}"] = summary.null_share
        found[f"mean/{name}"] = summary.mean
    performance = judged.performance
    if performance:
        for group, values in (
            ("realised", performance.realised),
            ("estimated", performance.estimated),
            ("estimate_error", performance.error),
        ):
            found |= {f"{group}/{name}": value for name, value in values.items()}
        fall = performance.realised_fall
        if fall:
            found["label_coverage"] = fall.coverage
            found[f"realised/{fall.metric}_low"] = fall.value_low
            found[f"realised/{fall.metric}_high"] = fall.value_high
    keyed: dict[str, float] = {}
    for name, value in found.items():
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
