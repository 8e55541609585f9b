"""Our own pages: the verdict with its reasons first, then every figure that it rests on."""

from html import escape

import numpy as np

from contract.markdown import plain
from monitoring.measures.tally import ColumnSummary
from monitoring.report.figures import WindowReport
from monitoring.verdict.evidence import ColumnFinding
from monitoring.verdict.judge import Performance
from monitoring.verdict.reasons import probability

COLOURS = {"OK": "#1a7f37", "WATCH": "#9a6700", "DRIFT": "#cf222e", "SCHEMA_CHANGED": "#cf222e"}
GREY = "#57606a"
MEANINGS = {
    "OK": "nothing fired",
    "WATCH": "something fired, not often enough for an alarm",
    "DRIFT": "something fired in enough windows",
    "SCHEMA_CHANGED": "columns are missing or have another type",
    "NOT_ENOUGH_DATA": "too few rows to judge",
    "NO_DATA": "no rows",
    "NO_REFERENCE": "nothing to compare with",
}
MAX_BARS = 14
STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:16px;color:#1f2328;max-width:860px}
h1{font-size:18px;margin:0 0 4px}h2{font-size:15px;margin:20px 0 6px}
.state{color:#fff;padding:2px 10px;border-radius:12px;margin-right:8px}
table{border-collapse:collapse;font-size:13px}td,th{padding:3px 8px;text-align:right;
border-bottom:1px solid #d0d7de}td:first-child,th:first-child{text-align:left}
tr.fired td{background:#fff1e5}p.small{color:#57606a;font-size:12px}li{margin:2px 0}
"""


def markdown(report: WindowReport) -> str:
    """The description of the run: state, reasons, and one table."""
    verdict = report.judged.verdict
    lines = [f"## {verdict.state}: {MEANINGS[verdict.state]}", ""]
    # MLflow folds a description after its first lines.
    lines += [f"**{plain(verdict.reasons[0])}**", "", plain(_about(report)), ""]
    lines += [*(f"- {plain(reason)}" for reason in verdict.reasons[1:]), ""]
    if report.judged.evidence.findings:
        lines.append("| column | fired | distance | limit | adjusted p | what moved |")
        lines.append("|---|---|---|---|---|---|")
        lines += ["| " + " | ".join(_cells(f)) + " |" for f in _ordered(report)]
        lines.append("")
    lines += [f"- {plain(name)}: {plain(note)}" for name, note in report.judged.notes.items()]
    lines += ["", plain(_evidently(report))]
    return "\n".join(lines) + "\n"


def page(report: WindowReport) -> str:
    """The same as one HTML page without scripts, with histograms, performance and slices."""
    verdict = report.judged.verdict
    colour = COLOURS.get(verdict.state, GREY)
    parts = [
        f"<h1><span class=state style='background:{colour}'>{verdict.state}</span>"
        f"{escape(MEANINGS[verdict.state])}</h1>",
        f"<p class=small>{escape(_about(report))}</p>",
        f"<p><b>{escape(verdict.reasons[0])}</b></p>",
        _list(verdict.reasons[1:]),
        _performance(report.judged.performance),
        _findings(report),
        _slices(report.judged.performance),
        _list([f"{name}: {note}" for name, note in report.judged.notes.items()], "Notes"),
        f"<p class=small>{escape(_evidently(report))}</p>",
    ]
    title = escape(f"{verdict.state} · {report.use_case} {report.version} · {report.window}")
    body = "\n".join(part for part in parts if part)
    head = f"<meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>\n"


def _about(report: WindowReport) -> str:
    revision = f", revision {report.revision}" if report.revision > 1 else ""
    return (
        f"{report.use_case}, version {report.version}, {report.window}{revision}: "
        f"{report.rows:,} answered rows, all of them counted."
    )


def _evidently(report: WindowReport) -> str:
    if not report.evidently_rows:
        return "Every figure stands in verdict.json."
    left_out = ", ".join(f"{name} ({why})" for name, why in report.left_out.items())
    return (
        "Every figure stands in verdict.json. Evidently's pages, in the folder evidently, show a "
        f"seeded sample of {report.evidently_rows:,} rows; they decide nothing."
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


def _findings(report: WindowReport) -> str:
    judged = report.judged
    if not judged.evidence.findings or judged.frozen is None:
        return ""
    window = {(role, name): s for role, name, s in judged.window.roles()}
    frozen = {(role, name): s for role, name, s in judged.frozen.roles()}
    rows = []
    for finding in _ordered(report):
        change = finding.change
        key = (change.role, change.name)
        fired = " class=fired" if finding.drifted else ""
        name = escape(change.name) if change.role == "columns" else f"<i>{change.role}</i>"
        name = f"<b>{name}</b>" if finding.drifted else name
        rows.append(
            f"<tr{fired}><td>{name}</td>"
            f"<td>{change.effect:.3f} / {finding.limit:g}</td>"
            f"<td>{escape(probability(finding.adjusted))}</td>"
            f"<td>{escape(change.told)}</td><td>{_bars(frozen[key], window[key])}</td></tr>"
        )
    names = ("column", "distance / limit", "adjusted p", "what moved", "reference (grey), window")
    head = "".join(f"<th>{name}</th>" for name in names)
    table = f"<table><tr>{head}</tr>{''.join(rows)}</table>"
    return f"<h2>Columns</h2><p class=small>Coloured: fired.</p>{table}"


def _bars(reference: ColumnSummary, window: ColumnSummary) -> str:
    """Shares of the first cells of both sides as a small drawing."""
    theirs, ours = (s.counts / max(s.rows, 1) for s in (reference, window))
    shown = np.flatnonzero(theirs + ours)[:MAX_BARS]
    top = max(float(theirs[shown].max(initial=0)), float(ours[shown].max(initial=0)), 1e-9)
    drawn = []
    for k, cell in enumerate(shown):
        told = escape(f"{window.cells.names[cell]}: {theirs[cell]:.1%} → {ours[cell]:.1%}")
        for at, share, colour in ((0, theirs[cell], "#afb8c1"), (4, ours[cell], "#0969da")):
            height = 26 * share / top
            drawn.append(
                f"<rect x={k * 10 + at} y={27 - height:.1f} width=4 height={height:.1f} "
                f"fill='{colour}'><title>{told}</title></rect>"
            )
    return f"<svg width={MAX_BARS * 10} height=28>{''.join(drawn)}</svg>"


def _performance(performance: Performance | None) -> str:
    if performance is None or not (performance.realised or performance.estimated):
        return ""
    names = dict.fromkeys([*performance.realised, *performance.estimated])
    groups = (performance.realised, performance.estimated, performance.error)
    rows = [
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{_number(group.get(name))}</td>" for group in groups)
        + "</tr>"
        for name in names
    ]
    fall = performance.realised_fall
    covered = (
        f"{fall.labels:,} labels, {fall.coverage:.0%} of the rows" if fall else "no labels yet"
    )
    return (
        f"<h2>Performance</h2><p class=small>{covered}; on {performance.rows:,} rows.</p>"
        "<table><tr><th>metric</th><th>realised</th><th>estimated without labels</th>"
        f"<th>error of the estimate</th></tr>{''.join(rows)}</table>"
    )


def _slices(performance: Performance | None) -> str:
    if performance is None or not performance.slices:
        return ""
    rows = []
    for s in performance.slices:
        interval = "" if s.low is None else f"[{_number(s.low)}, {_number(s.high)}]"
        rows.append(
            f"<tr><td>{escape(s.column)} = {escape(s.value)}</td><td>{s.rows:,}</td>"
            f"<td>{s.reference_share:.1%}</td><td>{s.share:.1%}</td><td>{s.labels:,}</td>"
            f"<td>{_number(s.reference_metric)}</td><td>{_number(s.metric)} {interval}</td></tr>"
        )
    return (
        "<h2>Slices</h2><table><tr><th>slice</th><th>rows</th><th>share, reference</th>"
        "<th>share, window</th><th>labels</th><th>metric, reference</th><th>metric, window</th>"
        f"</tr>{''.join(rows)}</table>"
    )


def _list(lines: "list[str] | tuple[str, ...]", title: str = "") -> str:
    if not lines:
        return ""
    head = f"<h2>{title}</h2>" if title else ""
    return head + "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
