"""The story of a replay as one HTML page without scripts: what happened, why, what held. Pure."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING

from contract.pages import render
from contract.use_case.model import UseCase
from pipelines.replaying.found_rows import FoundRows
from pipelines.replaying.progress import ReplayProgress, WindowFigures, WindowProgress
from pipelines.replaying.promises import Promise
from pipelines.runtime.console import count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STORY_FILE = "story.html"


@dataclass(frozen=True)
class StoryDecision:
    """Something that was decided on a day, and why."""

    at: date
    what: str
    reasons: tuple[str, ...]
    tone: str  # good, warn, bad or plain


def story(
    replayed: ReplayProgress,
    use_case: UseCase,
    label_lag_days: int,
    found: Sequence[FoundRows],
    promised: Sequence[Promise],
    whys: Mapping[str, str],
    picture: "Figure",
) -> str:
    """The page; `whys` says of each version why it is live, or why it is not."""
    broken = [promise for promise in promised if not promise.kept]
    seen = replayed.seen
    return render(
        __package__,
        "story.html.jinja",
        title=f"{use_case.title}: {_month(seen[0].start)} to {_month(seen[-1].start)}",
        metric=use_case.evaluation.metric,
        lag=label_lag_days,
        broken=broken,
        promises=promised,
        picture=_embedded(picture),
        alt=in_words(seen, use_case),
        versions=_versions(seen, whys),
        windows=[_window(*pair) for pair in zip(seen, found, strict=True)],
        decisions=decisions(seen, whys, label_lag_days),
        asked=count(sum(window.rows for window in seen)),
        requests=count(sum(one.requests for one in found)),
        labels=count(sum(window.labels for window in seen)),
    )


def in_words(seen: Sequence[WindowProgress], use_case: UseCase) -> str:
    """The picture for who can't see it."""
    parts = []
    for window in seen:
        newest = window.last or window.first
        if newest:
            parts.append(
                f"{_month(window.start)}: version {window.version}, estimated "
                f"{_figure(newest.estimated)}, realised {_interval(window.last)}, {newest.status}"
            )
    return f"{use_case.evaluation.metric} of each window. {'; '.join(parts)}."


def decisions(
    seen: Sequence[WindowProgress], whys: Mapping[str, str], label_lag_days: int
) -> list[StoryDecision]:
    """Verdicts and retrainings by the day on which they fell."""
    found: list[StoryDecision] = []
    for window in seen:
        name = _month(window.start)
        if window.first:
            found.append(_verdict(window.end, f"{name}, without labels", window.first))
        if window.last:
            day = window.end + timedelta(days=label_lag_days)
            found.append(_verdict(day, f"{name}, with its labels", window.last))
        for cure in window.cures:
            why = whys.get(cure.version, "")
            what = f"Retraining because of {name}: {cure.line()}"
            tone = "good" if cure.live else "warn"
            found.append(StoryDecision(cure.at, what, (why,) if why else (), tone))
    return sorted(found, key=lambda decision: decision.at)


def _verdict(at: date, about: str, report: WindowFigures) -> StoryDecision:
    tone = "bad" if report.alarms else "warn" if report.status != "OK" else "plain"
    return StoryDecision(at, f"{about}: {report.line()}", report.reasons, tone)


def _versions(seen: Sequence[WindowProgress], whys: Mapping[str, str]) -> list[dict[str, str]]:
    """Which version answered from when to when, with a share of the whole time for each."""
    days = (seen[-1].end - seen[0].start).days
    spans = []
    for version, group in groupby(seen, key=lambda window: window.version):
        windows = list(group)
        length = (windows[-1].end - windows[0].start).days
        spans.append(
            {
                "version": version,
                "from": str(windows[0].start),
                "to": str(windows[-1].end),
                "share": f"{100 * length / days:.2f}",
                "rows": count(sum(window.rows for window in windows)),
                "why": whys.get(version, "not known"),
            }
        )
    return spans


def _window(window: WindowProgress, found: FoundRows) -> dict[str, object]:
    newest = window.last or window.first
    return {
        "name": _month(window.start),
        "version": window.version,
        "estimated": _figure(newest.estimated if newest else None),
        "realised": _interval(window.last),
        "first_version": _figure(window.first_version),
        "verdict": newest.line() if newest else "–",
        "alarm": bool(newest and newest.alarms),
        "moved": ", ".join(newest.columns if newest else []) or "–",
        "found": found,
        "latency": [f"{ms:.1f}" for ms in found.latency_ms] if found.latency_ms else ["–"] * 3,
    }


def _embedded(picture: "Figure") -> str:
    """A picture as an address that holds it."""
    drawn = BytesIO()
    picture.savefig(drawn, format="png")
    return f"data:image/png;base64,{b64encode(drawn.getvalue()).decode()}"


def _month(day: date) -> str:
    return f"{day:%B %Y}" if day.day == 1 else str(day)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(report: WindowFigures | None) -> str:
    if report is None or report.value is None:
        return "–"
    return f"{report.value:.3f}, between {_figure(report.low)} and {_figure(report.high)}"
