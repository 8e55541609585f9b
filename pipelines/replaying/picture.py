"""The picture of a replay: performance, alarms, retrainings and labels, window by window."""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contract.use_case.model import UseCase
from monitoring.verdict.reasons import named
from pipelines.model.plots import BLUE, GREY, ORANGE, read_literally
from pipelines.replaying.progress import ReplayRetraining, WindowFigures, WindowProgress, label_name

RED = "#b3261e"
HALF = 0.32  # of a window's width
ASIDE = 0.15
MOST_NAMED = 2  # columns


def draw(windows: Sequence[WindowProgress], use_case: UseCase, label_lag_days: int) -> Figure:
    """Two panels over the windows: the main metric with what was reported, and the labels."""
    read_literally()
    figure = Figure(figsize=(9, 6), dpi=110, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.8, 1])
    for axes in (upper, lower):
        axes.spines[["top", "right"]].set_visible(False)
    title = f"{use_case.title}, replayed with labels {label_lag_days} days late"
    upper.set_title(title, loc="left", fontsize=11)
    upper.set_ylabel(use_case.evaluation.metric)
    _figures(upper, windows)
    _moments(upper, windows)
    _labels(lower, windows, use_case)
    lower.set_xticks(range(len(windows)), [_when(w) for w in windows])
    lower.set_xlim(-0.6, len(windows) - 0.4)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure


def _figures(axes: Axes, windows: Sequence[WindowProgress]) -> None:
    places, values = _drawn(windows, lambda r: r.reference)
    left, right = ([p + side for p in places] for side in (-HALF, HALF))
    axes.hlines(values, left, right, color=GREY, linewidth=1.5, label="on the version's holdout")
    places, values = _drawn(windows, lambda r: r.estimated)
    if places:  # a regression has no estimate
        label = "estimated without labels"
        axes.plot(places, values, "D", color=ORANGE, fillstyle="none", label=label)
    would = [(place + ASIDE, window.first_version) for place, window in enumerate(windows)]
    others = [(place, value) for place, value in would if value is not None]
    if others:
        label = f"what version {windows[0].version} would have reached"
        axes.plot(*zip(*others, strict=True), "x", color=GREY, markersize=7, label=label)
    places, values = _drawn(windows, lambda r: r.value)
    _, low = _drawn(windows, lambda r: r.low)
    _, high = _drawn(windows, lambda r: r.high)
    axes.vlines(places, low, high, color=BLUE, linewidth=2.5)
    axes.plot(places, values, "o", color=BLUE, label="realised, with 95 % interval")
    for one, other in pairwise(zip(places, values, strict=True)):
        if windows[one[0]].version == windows[other[0]].version:  # one line for one version
            axes.plot(*zip(one, other, strict=True), color=BLUE, linewidth=1)


def _moments(axes: Axes, windows: Sequence[WindowProgress]) -> None:
    """Alarms above the windows in which they were raised; where retraining made a version."""
    top = axes.get_xaxis_transform()
    for place, window in enumerate(windows):
        alarms = tuple(dict.fromkeys(a for r in _reports(window) for a in r.alarms))
        if alarms:
            axes.plot(place, 0.97, "v", color=RED, transform=top)
            _write(axes, place, 0.93, _named(alarms), RED, "center", "top")
        for retraining in window.cures:
            if retraining.version:
                place_of = _place(windows, retraining.at)
                _retraining(axes, place_of, retraining, len(windows))
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.35 * (high - low))  # room for the alarms


def _named(alarms: tuple[str, ...]) -> str:
    """Alarms one below the other; many columns by their number."""
    columns = [a.removeprefix("columns:") for a in alarms if a.startswith("columns:")]
    if len(columns) > MOST_NAMED:
        return "alarm:\n" + named(alarms).replace(", ", "\n")
    others = [a for a in alarms if not a.startswith("columns:")]
    return "\n".join(["alarm:", *others, *columns])


def _retraining(axes: Axes, place: float, made: ReplayRetraining, windows: int) -> None:
    """A line where a retraining made a version."""
    color = BLUE if made.live else GREY
    axes.axvline(place, color=color, linestyle="--", linewidth=1)
    text = f"version {made.version}" + (" live" if made.live else ":\nthe gate says no")
    if place > windows - 1:  # no room to the right
        _write(axes, place - 0.02, 0.02, text, color, "right", "bottom")
    else:
        _write(axes, place + 0.02, 0.02, text, color, "left", "bottom")


def _write(
    axes: Axes,
    place: float,
    height: float,
    text: str,
    color: str,
    ha: Literal["left", "center", "right"],
    va: Literal["top", "bottom"],
) -> None:
    """Text at a place of the x-axis and a share of the height."""
    where = axes.get_xaxis_transform()
    axes.text(place, height, text, transform=where, color=color, ha=ha, va=va, fontsize=8)


def _place(windows: Sequence[WindowProgress], day: date) -> float:
    """Where a day lies between the windows, whose middles are 0, 1, 2, ..."""
    for place, window in enumerate(windows):
        if day < window.end:
            return place - 0.5 + (day - window.start) / (window.end - window.start)
    return len(windows) - 0.5


def _labels(axes: Axes, windows: Sequence[WindowProgress], use_case: UseCase) -> None:
    share = use_case.task == "binary"
    places = [i for i, w in enumerate(windows) if w.label_mean is not None]
    values = [w.label_mean for w in windows if w.label_mean is not None]
    bars = axes.bar(places, values, width=2 * HALF, color=BLUE, alpha=0.35)
    axes.bar_label(bars, fmt="{:.1%}" if share else "{:.1f}", fontsize=9, padding=2)
    axes.set_ylabel(label_name(use_case))
    axes.margins(y=0.25)


def _reports(window: WindowProgress) -> list[WindowFigures]:
    return [report for report in (window.first, window.last) if report is not None]


def _drawn(
    windows: Sequence[WindowProgress], figure: Callable[[WindowFigures], float | None]
) -> tuple[list[int], list[float]]:
    """Places of the windows whose newest report has a figure, and the figures."""
    newest = [(place, _reports(window)[-1:]) for place, window in enumerate(windows)]
    figures = [(place, figure(report)) for place, reports in newest for report in reports]
    pairs = [(place, value) for place, value in figures if value is not None]
    return [place for place, _ in pairs], [value for _, value in pairs]


def _when(window: WindowProgress) -> str:
    return f"{window.start:%b %Y}" if window.start.day == 1 else str(window.start)
