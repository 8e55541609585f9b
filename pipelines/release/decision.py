"""Decision: whether a version may reach Production, from evidence alone. Fails closed.

Everything is a pure function of frozen values. What is unknown (None, NaN, infinite) is a no.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from contract.use_case.sections.gates import Gates
from pipelines.model.baseline import idle_limits
from pipelines.model.comparison import MIN_RESAMPLES, Comparison, SliceDifference, shown_worse
from pipelines.release.gate_evidence import (
    Champion,
    GateEvidence,
    NoChampion,
    NoClasses,
    RarestClass,
)

ERROR_RATE = 0.05  # of all slices together


@dataclass(frozen=True)
class GateDecision:
    """Whether a version may move, and every reason for it; warnings decide nothing."""

    passed: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class GateFinding:
    """How one check of the gate came out."""

    good: bool
    sentence: str


def decide(gates: Gates, evidence: GateEvidence, allow_breaking: bool = False) -> GateDecision:
    """Make every check; a version passes when all of them do. What is unknown fails.

    The reasons are the failed checks, or all of them where all passed. Non-inferiority: the lower
    end of the 95 % interval of the difference lies above minus `gates.margin`, in the unit of the
    main metric (docs/decisions/0010-gate-statistics.md). Raises nothing: a missing value is a
    failed check. `allow_breaking` lets a challenger pass that breaks callers of the champion.
    """
    findings = list(_findings(gates, evidence, allow_breaking))
    failed = tuple(f.sentence for f in findings if not f.good)
    warnings = tuple(idle_limits(gates, evidence.baseline or {}))
    return GateDecision(not failed, failed or tuple(f.sentence for f in findings), warnings)


def _findings(gates: Gates, evidence: GateEvidence, allow_breaking: bool) -> Iterator[GateFinding]:
    yield from _against(gates, evidence.opponent, allow_breaking)
    yield from _limits(gates, evidence)
    yield from _data(gates, evidence)
    yield from _scorer(gates, evidence)
    yield from _origin(evidence)


def _against(
    gates: Gates, opponent: NoChampion | Champion | None, allow_breaking: bool
) -> Iterator[GateFinding]:
    match opponent:
        case NoChampion():
            yield _beats_baseline(opponent.comparison, "there is no champion yet")
        case Champion():
            yield from _better(gates, opponent, allow_breaking)
            yield _not_trained_on(f"champion version {opponent.version}", opponent.trained_on)
            yield _compatible(opponent, allow_breaking)
        case _:
            yield GateFinding(False, "it is not known whether there is a champion")


def _beats_baseline(comparison: Comparison | None, why: str) -> GateFinding:
    """Without a champion or a limit a version must be shown to know more than a constant answer."""
    if comparison is None:
        return GateFinding(False, f"{why}, and no comparison with the baseline")
    good, sentence = _shown(comparison, "the baseline", 0.0)
    return GateFinding(good, f"{why}; {sentence}")


def _better(gates: Gates, champion: Champion, allow_breaking: bool) -> Iterator[GateFinding]:
    name, comparison = f"champion version {champion.version}", champion.comparison
    if comparison is None:
        meant = bool(champion.incomparable and champion.breaks) and allow_breaking
        reason = champion.incomparable or "it could not be measured"
        yield GateFinding(meant, f"not compared with {name}: {reason}")
        return
    yield GateFinding(*_shown(comparison, name, gates.margin))
    yield from _slices(gates, comparison.slices)


def _shown(comparison: Comparison, other: str, margin: float) -> tuple[bool, str]:
    """Whether the lower bound of the difference lies above minus the margin, and the numbers."""
    by, pair = comparison.difference, (comparison.challenger, comparison.champion)
    finite = all(map(math.isfinite, (by.value, by.low, by.high, *pair)))
    n_resamples = len(comparison.drawn)
    few = f"; {n_resamples} resamples, {MIN_RESAMPLES} are needed"
    enough = n_resamples >= MIN_RESAMPLES
    sentence = (
        f"{comparison.metric} {pair[0]:.4f} against {pair[1]:.4f} of {other}: difference "
        f"{by.value:+.4f}, lower bound {by.low:+.4f}, above {0.0 - margin:+g} is required"
    )
    return enough and finite and by.low > -margin, sentence + ("" if enough else few)


def _slices(gates: Gates, slices: tuple[SliceDifference, ...]) -> Iterator[GateFinding]:
    large = judged(gates, slices)
    p_values = shown_worse([s.difference for s in large], gates.slice_margin)
    vetoes = [(s, p) for s, p in zip(large, p_values, strict=True) if not p >= ERROR_RATE]
    for worse, p in vetoes:
        verdict = f"worse by more than {gates.slice_margin:g} (p {p:.1g})"
        yield GateFinding(
            False,
            f"slice {worse.name} ({worse.rows:,} rows): {worse.challenger:.4f} against "
            f"{worse.champion:.4f}, {'undefined' if math.isnan(p) else verdict}",
        )
    if not vetoes:
        yield GateFinding(True, f"none of {len(large)} judged slices is shown to be worse")


def judged(gates: Gates, slices: tuple[SliceDifference, ...]) -> list[SliceDifference]:
    """Slices of at least `gates.slice_min_rows` rows, in their order.

    One whose labels leave the metric undefined for both models (a single class) is left out; one
    that is undefined for one model alone is judged and refused.
    """
    return [
        s
        for s in slices
        if s.rows >= gates.slice_min_rows
        and not (math.isnan(s.challenger) and math.isnan(s.champion))
    ]


def _not_trained_on(who: str, rows: int | None) -> GateFinding:
    if rows is None:
        return GateFinding(False, f"it is not known which rows {who} was trained on")
    return GateFinding(rows == 0, f"{who} was trained on {rows or 'none'} of the holdout's rows")


def _compatible(champion: Champion, allow_breaking: bool) -> GateFinding:
    if champion.breaks is None:
        return GateFinding(False, "it is not known whether today's callers would still be answered")
    if not champion.breaks:
        return GateFinding(True, "what callers send today is still answered")
    word = "allowed by --allow-breaking" if allow_breaking else "--allow-breaking yes is needed"
    return GateFinding(allow_breaking, f"breaks callers: {'; '.join(champion.breaks)} ({word})")


def _limits(gates: Gates, evidence: GateEvidence) -> Iterator[GateFinding]:
    if not gates.limited and not isinstance(evidence.opponent, NoChampion):
        # Each version may be worse than the last by the margin: somewhere that must end.
        yield _beats_baseline(evidence.over_baseline, "no absolute limit is declared")
    figures = evidence.figures
    if not figures:
        yield GateFinding(False, "the packaged model was not measured on the holdout")
        return
    if not evidence.baseline:
        yield GateFinding(False, "the baseline was not measured on the holdout")
    for name, limit in gates.minimum.items():
        value = figures.get(name, math.nan)
        good = math.isfinite(value) and value >= limit
        yield GateFinding(good, f"{name} {value:.4f}, at least {limit:g} is required")
    for name, limit in gates.maximum.items():
        value = figures.get(name, math.nan)
        good = math.isfinite(value) and value <= limit
        yield GateFinding(good, f"{name} {value:.4f}, at most {limit:g} is required")


def _data(gates: Gates, evidence: GateEvidence) -> Iterator[GateFinding]:
    rows = evidence.rows
    if rows is None or rows < gates.min_rows:
        n_rows = "none" if rows is None else f"{rows:,}"
        yield GateFinding(
            False,
            f"too few holdout rows: {n_rows}, at least {gates.min_rows} are required (a larger "
            "split.holdout_share, or gates.min_rows where fewer are enough for you to decide by)",
        )
    else:
        yield GateFinding(True, f"{rows:,} holdout rows")
    yield _rarest(gates, evidence.rarest)
    same = bool(evidence.holdout_hash) and evidence.holdout_hash == evidence.registered_hash
    is_it = "are" if same else "are not"
    yield GateFinding(
        same, f"the holdout's rows {is_it} those that the version was registered with"
    )
    yield _not_trained_on("the challenger", evidence.trained_on)


def _rarest(gates: Gates, rarest: NoClasses | RarestClass | None) -> GateFinding:
    """A class that hardly any row shows says nothing of a model, however many rows there are."""
    match rarest:
        case NoClasses():
            return GateFinding(True, "a regression has no rare class")
        case RarestClass(name, rows):
            return GateFinding(
                rows >= gates.min_class_rows,
                f"{rows:,} holdout rows of {name!r}, the rarest class; at least "
                f"{gates.min_class_rows} are required (gates.min_class_rows)",
            )
        case _:
            return GateFinding(False, "it is not known how many holdout rows each class has")


def _scorer(gates: Gates, evidence: GateEvidence) -> Iterator[GateFinding]:
    latency, size = evidence.latency, evidence.size_mb
    if latency is None:
        yield GateFinding(False, "the scorer's latency was not measured")
    else:
        yield GateFinding(
            latency.calls > 0 and 0 < latency.p99_ms <= gates.max_latency_ms,
            f"one row takes {latency.median_ms:.3f} ms, p99 {latency.p99_ms:.3f} ms, at most "
            f"{gates.max_latency_ms:g} ms is required",
        )
    if size is None:
        yield GateFinding(False, "the size of what is served is not known")
    else:
        good = 0 < size <= gates.max_size_mb
        yield GateFinding(good, f"served files hold {size:.2f} MB, at most {gates.max_size_mb:g}")


def _origin(evidence: GateEvidence) -> Iterator[GateFinding]:
    if evidence.validation:
        yield GateFinding(True, f"data validation passed: {evidence.validation}")
    else:
        yield GateFinding(False, "no passed validation of its data is known")
    if evidence.missing_tags is None:
        yield GateFinding(False, "its lineage tags could not be read")
    else:
        missing = ", ".join(evidence.missing_tags)
        yield GateFinding(
            not missing, f"lineage tags: {f'{missing} missing' if missing else 'all'}"
        )
    if evidence.problems is None:
        yield GateFinding(False, "what went wrong while gathering evidence is not known")
    for problem in evidence.problems or ():
        yield GateFinding(False, problem)
