"""What the gate writes for people and programs: a page, a plot, tables, and the whole evidence."""

from math import isfinite, nan

import mlflow
from pydantic import TypeAdapter

from contract.markdown import plain, table
from contract.use_case.sections.gates import Gates
from pipelines.model.comparison import Comparison, SliceDifference, shown_worse
from pipelines.model.plots import gain
from pipelines.release.decision import GateDecision, judged
from pipelines.release.gate_evidence import Champion, GateEvidence, NoChampion
from pipelines.runtime.console import count
from tracking.tags import GATE_TAG, NOTE_TAG, VERSION_TAG

SLICES_SHOWN = 20


def publish(gates: Gates, evidence: GateEvidence, decision: GateDecision) -> None:
    """Log the decision, first on the page, and all that led to it to the active run."""
    text = page(gates, evidence, decision)
    mlflow.set_tags({VERSION_TAG: evidence.version, GATE_TAG: str(decision.passed)})
    mlflow.set_tag(NOTE_TAG, text)
    mlflow.log_text(text, "gate/decision.md")
    mlflow.log_text(
        TypeAdapter(GateEvidence).dump_json(evidence, indent=1).decode(), "gate/evidence.json"
    )
    mlflow.log_dict(gates.model_dump(mode="json"), "gate/declared.json")
    figures = _figures(evidence)
    mlflow.log_metrics({name: value for name, value in figures.items() if isfinite(value)})
    if isinstance(evidence.opponent, Champion) and evidence.opponent.comparison:
        champion, comparison = evidence.opponent, evidence.opponent.comparison
        mlflow.log_figure(gain(comparison, champion.version, gates.margin), "gate/difference.png")
        head, rows = slice_table(gates, comparison)
        mlflow.log_table(
            {name: [row[i] for row in rows] for i, name in enumerate(head)}, "gate/slices.json"
        )


def page(gates: Gates, evidence: GateEvidence, decision: GateDecision) -> str:
    """The decision for a person, in Markdown: the answer, its reasons, then the numbers."""
    word = "passed" if decision.passed else "refused"
    parts = [
        f"# Version {evidence.version}: {word}",
        *sections(gates, evidence, decision),
        "The whole evidence: artifact `gate/evidence.json`; the resamples: `gate/difference.png`.",
    ]
    return "\n\n".join(parts) + "\n"


def sections(gates: Gates, evidence: GateEvidence, decision: GateDecision) -> list[str]:
    """The reasons, then the numbers, in Markdown."""
    parts = ["\n".join(f"- {plain(reason)}" for reason in decision.reasons)]
    if decision.warnings:
        warned = "\n".join(f"- {plain(warning)}" for warning in decision.warnings)
        parts.append(f"## Warnings\n\n{warned}")
    if isinstance(evidence.opponent, Champion) and evidence.opponent.comparison:
        parts += _against(gates, evidence, evidence.opponent, evidence.opponent.comparison)
    if evidence.figures:
        base = evidence.baseline or {}
        rows = [
            (plain(name), f"{value:.4f}", f"{base.get(name, nan):.4f}")
            for name, value in evidence.figures.items()
        ]
        head = ("metric", "value", "baseline")
        parts.append("## On the holdout, as packaged\n\n" + table(head, rows))
    return parts


def slice_table(
    gates: Gates, comparison: Comparison
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and rows of the table of slices, worst first."""
    large = judged(gates, comparison.slices)
    p_values = shown_worse([s.difference for s in large], gates.slice_margin)
    shown = {s.name: f"{p:.3g}" for s, p in zip(large, p_values, strict=True)}
    head = ("slice", "rows", "challenger", "champion", "difference", "95 % interval", "p (Holm)")
    ranked = sorted(comparison.slices, key=lambda s: (s.name not in shown, s.difference.value))
    return head, [_slice_row(s, shown.get(s.name, "not judged")) for s in ranked]


def _slice_row(compared: SliceDifference, p: str) -> tuple[str, ...]:
    difference = compared.difference
    return (
        compared.name,
        count(compared.rows),
        f"{compared.challenger:.4f}",
        f"{compared.champion:.4f}",
        f"{difference.value:+.4f}",
        f"{difference.low:+.4f} … {difference.high:+.4f}",
        p,
    )


def _against(
    gates: Gates, evidence: GateEvidence, champion: Champion, comparison: Comparison
) -> list[str]:
    difference = comparison.difference
    rows = [
        ("challenger", f"{comparison.challenger:.4f}"),
        (f"champion version {champion.version}", f"{comparison.champion:.4f}"),
        ("**difference**", f"**{difference.value:+.4f}**"),
        ("95 % interval", f"{difference.low:+.4f} … {difference.high:+.4f}"),
        ("the interval must begin above", f"{-gates.margin:+g}"),
    ]
    title = f"## Against champion version {champion.version}, on {count(evidence.rows or 0)} rows"
    n_resamples = count(len(comparison.drawn))
    note = f"Paired bootstrap, {n_resamples} resamples."
    parts = [f"{title}\n\n{table(('', comparison.metric), rows)}\n\n{note}"]
    if comparison.slices:
        head, lines = slice_table(gates, comparison)
        veto = (
            f"A slice of {count(gates.slice_min_rows)} rows or more that is shown worse by more "
            f"than {gates.slice_margin:g} (p below 0.05) has a veto."
        )
        shown = [(plain(name), *figures) for name, *figures in lines[:SLICES_SHOWN]]
        parts.append(f"## Slices\n\n{table(head, shown)}\n\n{veto}")
    return parts


def _figures(evidence: GateEvidence) -> dict[str, float]:
    figures = {f"holdout/{name}": value for name, value in (evidence.figures or {}).items()}
    figures |= {f"baseline/{name}": value for name, value in (evidence.baseline or {}).items()}
    if isinstance(evidence.opponent, NoChampion) and evidence.opponent.comparison:
        figures["gate/low"] = evidence.opponent.comparison.difference.low
    if evidence.latency:
        figures["latency_median_ms"] = evidence.latency.median_ms
        figures["latency_p99_ms"] = evidence.latency.p99_ms
    if evidence.size_mb is not None:
        figures["served_size_mb"] = evidence.size_mb
    if isinstance(evidence.opponent, Champion) and evidence.opponent.comparison:
        comparison = evidence.opponent.comparison
        difference = comparison.difference
        figures |= {
            "gate/difference": difference.value,
            "gate/low": difference.low,
            "gate/high": difference.high,
        }
        figures |= {f"champion/{comparison.metric}": comparison.champion}
    return figures
