"""The verdict as people see it first: a few sentences and one table, above Evidently's own page."""

from monitoring.drift import DriftReport
from monitoring.window import Window

HEAD = "| column | drifted | score |\n|---|---|---|"


def verdict_markdown(report: DriftReport, window: Window, version: str, n_rows: int) -> str:
    """The run's description: what was decided and why."""
    lines = [f"## {report.status}: version {version}, {window}", ""]
    lines += [f"{n_rows:,} answered rows against the training reference."]
    lines += ["", *(f"- {reason}" for reason in report.reasons), ""]
    if report.scores:
        lines.append(HEAD)
        drifted_first = sorted(report.scores, key=lambda name: name not in report.drifted)
        for name in drifted_first:
            mark = "**yes**" if name in report.drifted else "no"
            lines.append(f"| {name} | {mark} | {report.scores[name]:.3g} |")
    if report.notes:
        lines += ["", "Not compared:", ""]
        lines += [f"- {name}: {note}" for name, note in report.notes.items()]
    return "\n".join(lines) + "\n"
