"""Our own pages: the verdict with its reasons first, then every figure that it rests on."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from contract.markdown import plain, table
from contract.pages import render
from monitoring.measures.performance import WindowSlice
from monitoring.measures.tally import ColumnSummary
from monitoring.report.figures import WindowReport
from monitoring.verdict.evidence import ColumnFinding, DriftVerdict
from monitoring.verdict.judge import Performance
from monitoring.verdict.reasons import probability

MEANINGS = {
    "OK": "no drift",
    "WATCH": "drift in this window, not yet in enough windows for an alarm",
    "DRIFT": "in enough windows for an alarm",
    "SCHEMA_CHANGED": "columns are missing or have another type",
    "NOT_ENOUGH_DATA": "too few rows to judge",
    "NO_DATA": "no rows",
    "NO_REFERENCE": "nothing to compare with",
}
MAX_BARS = 14
BAR_STEP, BAR_HEIGHT = 10, 26  # pixels


@dataclass(frozen=True)
class Bar:
    """A cell's share on one side; sizes in pixels."""

    side: Literal["reference", "window"]
    x: int
    height: float
    label: str


@dataclass(frozen=True)
class ColumnRow:
    """A column as a row of the page's table."""

    name: str
    is_answer: bool  # predictions or labels, whatever a feature may be called
    drifted: bool
    distance: str
    adjusted: str
    moved: str
    bars: list[Bar]


def markdown(report: WindowReport) -> str:
    """The description of the run: state, reasons, and one table."""
    verdict = report.judged.verdict
    lines = [f"## {verdict.state}: {_meaning(verdict)}", ""]
    # MLflow folds a description after its first lines.
    lines += [f"**{plain(verdict.reasons[0])}**", "", plain(_about(report)), ""]
    lines += [*(f"- {plain(reason)}" for reason in verdict.reasons[1:]), ""]
    if report.judged.evidence.findings:
        head = ("column", "drifted", "distance", "limit", "adjusted p", "what moved")
        lines += [table(head, [_cells(f) for f in _ordered(report)]), ""]
    lines += [f"- {plain(name)}: {plain(note)}" for name, note in report.judged.notes.items()]
    lines += ["", plain(_evidently(report))]
    return "\n".join(lines) + "\n"


def page(report: WindowReport) -> str:
    """The same as one HTML page without scripts, with histograms, performance and slices."""
    judged, served = report.judged, report.observed.served
    verdict, performance = judged.verdict, judged.performance
    name = f"{served.use_case.name} {served.version}"
    return render(
        __package__,
        "report.html.jinja",
        title=f"{verdict.state} · {name} · {report.observed.title}",
        state=verdict.state,
        meaning=_meaning(verdict),
        about=_about(report),
        reasons=verdict.reasons,
        performance=performance,
        metrics=_metrics(performance) if performance else {},
        labels=_labels(performance, report.observed.counts.rows) if performance else "",
        columns=_columns(report),
        slices=[_slice(part) for part in performance.slices] if performance else [],
        notes=judged.notes,
        evidently=_evidently(report),
        bars_width=MAX_BARS * BAR_STEP,
    )


def _meaning(verdict: DriftVerdict) -> str:
    if verdict.state == "WATCH" and not verdict.signals:
        return "no drift, but the estimated performance has fallen"
    return MEANINGS[verdict.state]


def _about(report: WindowReport) -> str:
    revision = f", revision {report.revision}" if report.revision > 1 else ""
    observed = report.observed
    return (
        f"{observed.served.use_case.name}, version {observed.served.version}, "
        f"{observed.title}{revision}: {observed.counts.rows:,} answered rows, all of them counted."
    )


def _evidently(report: WindowReport) -> str:
    if not report.evidently.rows:
        return "Every figure stands in verdict.json."
    left_out = ", ".join(f"{name} ({why})" for name, why in report.evidently.left_out.items())
    return (
        "Every figure stands in verdict.json. Evidently's pages, in the folder evidently, show a "
        f"seeded sample of {report.evidently.rows:,} rows; they decide nothing."
        + (f" They lack {left_out}." if left_out else "")
    )


def _ordered(report: WindowReport) -> list[ColumnFinding]:
    findings = report.judged.evidence.findings
    return sorted(findings, key=lambda f: (not f.drifted, -f.change.effect))


def _cells(finding: ColumnFinding) -> tuple[str, ...]:
    change = finding.change
    return (
        plain(change.name) if change.role == "columns" else f"*{change.name}*",
        "**yes**" if finding.drifted else "no",
        f"{change.effect:.3f}",
        f"{finding.limit:g}",
        plain(probability(finding.adjusted)),
        plain(change.told),
    )


def _columns(report: WindowReport) -> list[ColumnRow]:
    judged = report.judged
    if judged.frozen is None:
        return []
    window = {(role, name): s for role, name, s in judged.window.roles()}
    frozen = {(role, name): s for role, name, s in judged.frozen.roles()}
    rows = []
    for finding in _ordered(report):
        change = finding.change
        key = (change.role, change.name)
        rows.append(
            ColumnRow(
                name=change.name,
                is_answer=change.role != "columns",
                drifted=finding.drifted,
                distance=f"{change.effect:.3f} / {finding.limit:g}",
                adjusted=probability(finding.adjusted),
                moved=change.told,
                bars=_bars(frozen[key], window[key]),
            )
        )
    return rows


def _bars(reference: ColumnSummary, window: ColumnSummary) -> list[Bar]:
    """Shares of the first cells of both sides as a small drawing."""
    before, now = (s.counts / max(s.rows, 1) for s in (reference, window))
    shown = np.flatnonzero(before + now)[:MAX_BARS]
    top = max(float(before[shown].max(initial=0)), float(now[shown].max(initial=0)), 1e-9)
    bars = []
    for k, cell in enumerate(shown):
        label = f"{window.cells.names[cell]}: {before[cell]:.1%} → {now[cell]:.1%}"
        bars += [
            Bar("reference", k * BAR_STEP, BAR_HEIGHT * float(before[cell]) / top, label),
            Bar("window", k * BAR_STEP + 4, BAR_HEIGHT * float(now[cell]) / top, label),
        ]
    return bars


def _metrics(performance: Performance) -> dict[str, list[str]]:
    """Each metric realised, estimated, and by how much the estimate was off."""
    groups = (performance.realised, performance.estimated, performance.error)
    names = dict.fromkeys([*performance.realised, *performance.estimated])
    return {name: [_number(group.get(name)) for group in groups] for name in names}


def _labels(performance: Performance, answered: int) -> str:
    """How many labels, on how many rows, and whether these are all that were answered."""
    fall, rows = performance.realised_fall, f"{performance.rows:,} rows"
    if performance.rows < answered:
        rows = f"a seeded sample of {performance.rows:,} of the {answered:,} rows"
    if fall is None:
        return f"no labels yet; on {rows}"
    return f"{fall.labels:,} labels, {fall.coverage:.0%} of the rows; on {rows}"


def _slice(part: WindowSlice) -> list[str]:
    interval = "" if part.low is None else f"[{_number(part.low)}, {_number(part.high)}]"
    return [
        f"{part.column} = {part.value}",
        f"{part.rows:,}",
        f"{part.reference_share:.1%}",
        f"{part.share:.1%}",
        f"{part.labels:,}",
        _number(part.reference_metric),
        f"{_number(part.metric)} {interval}",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
