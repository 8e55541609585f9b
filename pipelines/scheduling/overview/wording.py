"""The overview in words: sentences that page and screen share, and at most twelve lines. Pure."""

from collections.abc import Sequence

from pipelines.registry.description import moment
from pipelines.runtime.console import count
from pipelines.scheduling.overview.standing import (
    Call,
    JobStanding,
    MeasuredQuality,
    UseCaseStanding,
    ordered,
)

LINES = 12
LONGEST = 110  # characters of a text of others on a line
MARKS: dict[Call, str] = {"act": "!", "look": "?", "well": " "}
CALLED: dict[Call, str] = {
    "act": "somebody must act",
    "look": "somebody should look",
    "well": "all is well",
}
# What a verdict says to who does not know its name.
VERDICTS = {
    "OK": "what comes in looks like what the model learned from",
    "WATCH": "something moved, not yet often enough for an alarm",
    "DRIFT": "what comes in, or how well it is answered, has changed",
    "SCHEMA_CHANGED": "columns are missing or have another type",
    "NOT_ENOUGH_DATA": "too few answers to judge",
    "NO_DATA": "nobody asked",
    "NO_REFERENCE": "there is nothing to compare with",
}
NONE_YET = "No use case is known here yet. To begin: fourcycle main --use-case penguins"


def headline(standings: Sequence[UseCaseStanding]) -> str:
    """One sentence about all of them."""
    if not standings:
        return NONE_YET
    calls = [standing.call for standing in standings]
    if len(set(calls)) == 1:
        use_cases = "1 use case" if len(calls) == 1 else f"{len(calls)} use cases"
        return f"{use_cases}: {CALLED[calls[0]]}."
    said = [f"{CALLED[what]} in {n}" for what in CALLED if (n := calls.count(what))]
    return f"{len(calls)} use cases: {', '.join(said)}."


def text(standings: Sequence[UseCaseStanding], page: str) -> str:
    """At most twelve lines: as much of each use case as fits, the most urgent first.

    `page` says where the whole of it stands.
    """
    if not standings:
        return NONE_YET
    first = [headline(standings)]
    room = LINES - 2
    each = max(1, min(5, room // len(standings)))
    shown = ordered(list(standings))
    left = len(shown) - room
    if left > 0:
        shown = shown[: room - 1]
    lines = [line for standing in shown for line in _lines(standing)[:each]]
    if left > 0:
        lines.append(f"  and {left + 1} more")
    return "\n".join([*first, *lines, page])


def _lines(standing: UseCaseStanding) -> list[str]:
    """A use case in five lines; the first one alone tells the most."""
    why = short("; ".join(reason for _, reason in standing.reasons[:3]))
    state = f"{CALLED[standing.call]}{f': {why}' if why else ''}"
    judged = verdict(standing)
    return [
        f"{MARKS[standing.call]} {standing.name}, {live_short(standing)}: {state}",
        f"    live: {live(standing)}",
        f"    quality: {quality(standing)}",
        f"    verdict: {judged}; labels: {labels(standing)}",
        f"    waits: {standing.waiting or 'nothing'}; jobs: {jobs(standing)}; "
        f"backlog: {backlog(standing)}",
    ]


def live_short(standing: UseCaseStanding) -> str:
    """Which version answers, in two words."""
    return f"version {standing.live.version}" if standing.live.version else "nothing live"


def live(standing: UseCaseStanding) -> str:
    """Which version is live, since when, why and by whom."""
    now = standing.live
    since = f" since {moment(now.since)}" if now.since else ""
    if not now.version:
        return f"no version{since}{f': {short(now.why)}' if now.why else ''}"
    by = f" ({now.by})" if now.by else ""
    return f"version {now.version}{since}{f', because {short(now.why)}' if now.why else ''}{by}"


def quality(standing: UseCaseStanding) -> str:
    """How good it is: when it was measured, and by the labels that came since."""
    known = [measured(q) for q in (standing.holdout, standing.realised) if q]
    return "; ".join(known) or "not measured yet"


def measured(found: MeasuredQuality) -> str:
    """A figure with its interval."""
    between = (
        f", between {found.low:.3f} and {found.high:.3f} (95 %)"
        if found.low is not None and found.high is not None
        else ""
    )
    return f"{found.metric} {found.value:.3f}{between} {found.on}"


def verdict(standing: UseCaseStanding) -> str:
    """What monitoring said last."""
    said = standing.verdict
    if said is None:
        return "none yet: no window of answers was judged"
    meaning = VERDICTS.get(said.state, "")
    return f"{said.state} ({meaning}), {said.window}" if meaning else f"{said.state}, {said.window}"


def labels(standing: UseCaseStanding) -> str:
    """How much of the newest judged window is known to be right or wrong."""
    share = standing.label_coverage
    return "none yet" if share is None else f"known for {share:.0%} of the answers"


def backlog(standing: UseCaseStanding) -> str:
    """What is on its way into the tables."""
    found = standing.backlog
    if found is None:
        return "no service on this host"
    waiting = f"{count(found.rows)} answers" if found.rows else "none"
    if found.rows:
        waiting += f", the oldest {age(found.age_s)} old"
    broken = f", {found.quarantined} parts can't be read" if found.quarantined else ""
    return f"{waiting}{broken}{f', {short(found.problem)}' if found.problem else ''}"


def jobs(standing: UseCaseStanding) -> str:
    """Those that fail, then the next ones."""
    if not standing.jobs:
        return "none by the clock"
    if not any(job.last or job.failures for job in standing.jobs):
        return f"{', '.join(job.name for job in standing.jobs)}, none has run on this host yet"
    failed = [f"{job.name} FAILS ({short(job.trouble)})" for job in standing.failed_jobs]
    following = sorted((j for j in standing.jobs if j.next_due), key=lambda j: j.next_due)
    return "; ".join([*failed, *[f"{job.name} next {job.next_due}" for job in following[:2]]])


def job(found: JobStanding) -> str:
    """One job in words."""
    last = f"last done {found.last}" if found.last else "not done yet on this host"
    following = f"; next {found.next_due}" if found.next_due else ""
    trouble = f"; failed {found.failures} times: {found.trouble}" if found.failures else ""
    late = "; late: is a scheduler running?" if not (found.well or found.failures) else ""
    return f"{last}{following}{trouble}{late}"


def age(seconds: float) -> str:
    """A time span in one unit."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def short(said: str) -> str:
    """A text on one line that fits on it."""
    line = " ".join(said.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST].rsplit(' ', 1)[0]} …"
