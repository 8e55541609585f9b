"""The verdict's reasons as sentences; what a person reads first."""

from contract.statistics.metrics import SMALLER_IS_BETTER
from contract.use_case.sections.monitoring import Monitoring
from monitoring.measures.performance import PerformanceFall
from monitoring.verdict.evidence import ColumnFinding, WindowEvidence

SMALLEST = 1e-12
MAX_LISTED = 12


def named(signals: tuple[str, ...]) -> str:
    """Signals by name, columns by their number."""
    columns = [s for s in signals if s.startswith("columns:")]
    others = [s for s in signals if not s.startswith("columns:")]
    if columns:
        others.append(f"{len(columns)} column{'s' if len(columns) > 1 else ''}")
    return ", ".join(others)


def listed(signals: tuple[str, ...]) -> str:
    """Signals and columns, each by name; the first of very many."""
    names = [s.replace("columns:", "column ") for s in signals[:MAX_LISTED]]
    if len(signals) > MAX_LISTED:
        names.append(f"and {len(signals) - MAX_LISTED} more")
    return ", ".join(names)


def moved(finding: ColumnFinding) -> str:
    """How far something moved."""
    change = finding.change
    what = {"prediction": "The predictions", "label": "The labels"}.get(change.role, change.name)
    words = f": {change.told}" if change.told else ""
    return (
        f"{what} moved{words} (distance {change.effect:.2f}, limit {finding.limit:.2f}; "
        f"adjusted p {probability(finding.adjusted)})."
    )


def probability(p: float) -> str:
    """A p-value as people read it: below a million-millionth the digits say nothing."""
    return f"{p:.2g}" if p >= SMALLEST else f"< {SMALLEST:g}"


def fell(which: str, fall: PerformanceFall, policy: Monitoring) -> str:
    """How much worse the main metric became."""
    return (
        f"{which}{fall.metric} is {fall.value:.3f} [{fall.value_low:.3f}, {fall.value_high:.3f}] "
        f"against {fall.reference:.3f}: worse by {fall.low:.3f} to {fall.high:.3f}, "
        f"margin {policy.performance_margin:g}."
    )


def explained(realised: PerformanceFall, estimated: PerformanceFall) -> str:
    """How much of a fall follows from changed inputs, as far as the estimate can tell."""
    sign = -1 if realised.metric in SMALLER_IS_BETTER else 1
    fallen, expected = (sign * (fall.reference - fall.value) for fall in (realised, estimated))
    part = f"{expected:.3f}" if expected > 0 else "nothing"
    return (
        f"From the inputs alone, {realised.metric} {estimated.value:.3f} was expected: changed "
        f"columns explain {part} of the fall by {fallen:.3f}; the rest shows only in the labels."
    )


def remarks(evidence: WindowEvidence, policy: Monitoring) -> list[str]:
    """What is worth knowing and decides nothing."""
    realised, estimated = evidence.realised, evidence.estimated
    sentences = []
    if realised is None:
        sentences.append("No label has arrived yet, so performance was not judged.")
    elif not realised.enough(policy):
        sentences.append(
            f"{realised.labels:,} labels for {realised.coverage:.0%} of the rows are too few to "
            f"judge performance; {policy.min_labels:,} and {policy.min_label_coverage:.0%} needed."
        )
    elif not realised.certain(policy):
        sentences.append(
            f"{realised.metric} is {realised.value:.3f} "
            f"[{realised.value_low:.3f}, {realised.value_high:.3f}] "
            f"against {realised.reference:.3f}: no fall beyond the margin of "
            f"{policy.performance_margin:g} at 95 % confidence."
        )
    elif estimated is not None:
        sentences.append(explained(realised, estimated))
    if estimated is not None and estimated.certain(policy):
        sentences.append(
            fell("Estimated without labels, here as on the holdout: ", estimated, policy)
        )
    return sentences
