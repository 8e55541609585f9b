"""Decision: whether a version may reach Production, from evidence alone. Fails closed.

Everything is a pure function of frozen values. What is unknown (None, NaN, infinite) is a no.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contract.use_case.model import Gates
from pipelines.model.comparison import MIN_RESAMPLES, Comparison, SliceDifference, shown_worse

ERROR_RATE = 0.05  # of all slices together


@dataclass(frozen=True)
class Latency:
    """One-row scores of the packaged scorer."""

    calls: int
    median_ms: float
    p99_ms: float


@dataclass(frozen=True)
class NoChampion:
    """The registry says that no version is in Production: only the absolute limits apply."""


@dataclass(frozen=True)
class Champion:
    """The version in Production, as the challenger meets it.

    `trained_on` counts the holdout's rows in its training table. `incomparable` says why a
    breaking change leaves nothing to compare; `comparison` is None then.
    """

    version: str
    trained_on: int | None
    breaks: tuple[str, ...] | None
    comparison: Comparison | None
    incomparable: str = ""


@dataclass(frozen=True)
class GateEvidence:
    """All that the gate knows of a challenger; None is what could not be measured, `problems` say
    why.

    `holdout_hash` is of the rows as they were read, `registered_hash` what the version was
    registered with; `trained_on` counts the holdout's rows in its training table.
    """

    version: str
    problems: tuple[str, ...] | None
    missing_tags: tuple[str, ...] | None
    validation: str | None
    rows: int | None
    holdout_hash: str | None
    registered_hash: str | None
    trained_on: int | None
    figures: Mapping[str, float] | None
    latency: Latency | None
    size_mb: float | None
    opponent: NoChampion | Champion | None


@dataclass(frozen=True)
class GateDecision:
    """Whether a version may move, and every reason for it."""

    passed: bool
    reasons: tuple[str, ...]


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
    return GateDecision(not failed, failed or tuple(f.sentence for f in findings))


def _findings(gates: Gates, evidence: GateEvidence, allow_breaking: bool) -> Iterator[GateFinding]:
    yield from _against(gates, evidence.opponent, allow_breaking)
    yield from _limits(gates, evidence.figures)
    yield from _data(gates, evidence)
    yield from _scorer(gates, evidence)
    yield from _origin(evidence)


def _against(
    gates: Gates, opponent: NoChampion | Champion | None, allow_breaking: bool
) -> Iterator[GateFinding]:
    match opponent:
        case NoChampion():
            yield GateFinding(
                True, "there is no champion yet: checked against the absolute limits only"
            )
        case Champion():
            yield from _better(gates, opponent, allow_breaking)
            yield _not_trained_on(f"champion version {opponent.version}", opponent.trained_on)
            yield _compatible(opponent, allow_breaking)
        case _:
            yield GateFinding(False, "it is not known whether there is a champion")


def _better(gates: Gates, champion: Champion, allow_breaking: bool) -> Iterator[GateFinding]:
    name, comparison = f"champion version {champion.version}", champion.comparison
    if comparison is None:
        meant = bool(champion.incomparable and champion.breaks) and allow_breaking
        reason = champion.incomparable or "it could not be measured"
        yield GateFinding(meant, f"not compared with {name}: {reason}")
        return
    by, pair = comparison.difference, (comparison.challenger, comparison.champion)
    finite = all(map(math.isfinite, (by.value, by.low, by.high, *pair)))
    n_resamples = len(comparison.drawn)
    few = f"; {n_resamples} resamples, {MIN_RESAMPLES} are needed"
    enough = n_resamples >= MIN_RESAMPLES
    yield GateFinding(
        enough and finite and by.low > -gates.margin,
        f"{comparison.metric} {pair[0]:.4f} against {pair[1]:.4f} of {name}: difference "
        f"{by.value:+.4f}, lower bound {by.low:+.4f}, above {-gates.margin:+g} is required"
        + ("" if enough else few),
    )
    yield from _slices(gates, comparison.slices)


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


def _limits(gates: Gates, figures: Mapping[str, float] | None) -> Iterator[GateFinding]:
    if not gates.minimum and not gates.maximum:
        yield GateFinding(False, "the use case declares no gates.minimum or gates.maximum")
    if not figures:
        yield GateFinding(False, "the packaged model was not measured on the holdout")
        return
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
            False, f"too few holdout rows: {n_rows}, at least {gates.min_rows} are required"
        )
    else:
        yield GateFinding(True, f"{rows:,} holdout rows")
    same = bool(evidence.holdout_hash) and evidence.holdout_hash == evidence.registered_hash
    is_it = "are" if same else "are not"
    yield GateFinding(
        same, f"the holdout's rows {is_it} those that the version was registered with"
    )
    yield _not_trained_on("the challenger", evidence.trained_on)


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
