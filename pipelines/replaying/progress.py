"""What a replay has seen, window by window, and how far it came."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict

from contract.markdown import plain
from contract.use_case.model import UseCase
from monitoring.report.history import read_verdict
from monitoring.verdict.reasons import named
from pipelines.runtime.console import count


class ReplayValues(BaseModel):
    """Plain values of a replay, kept as JSON on its run."""

    model_config = ConfigDict(frozen=True)


class WindowFigures(ReplayValues):
    """One report on a window, and the figures of the main metric in it."""

    version: str
    status: str
    revision: int
    signals: tuple[str, ...]
    alarms: tuple[str, ...]
    reasons: tuple[str, ...]
    run_id: str
    estimated: float | None
    reference: float | None  # on the version's holdout
    value: float | None  # realised
    low: float | None
    high: float | None

    @classmethod
    def of(cls, document: Mapping[str, Any], metric: str, run_id: str) -> "WindowFigures":
        """From the document of a report."""
        verdict, performance = read_verdict(document), document["performance"] or {}
        fall = performance.get("realised_fall") or {}
        return cls(
            version=document["version"],
            status=verdict.state,
            revision=document["revision"],
            signals=verdict.signals,
            alarms=verdict.alarms,
            reasons=verdict.reasons,
            run_id=run_id,
            estimated=performance.get("estimated", {}).get(metric),
            reference=fall.get("reference"),
            value=fall.get("value"),
            low=fall.get("value_low"),
            high=fall.get("value_high"),
        )

    @property
    def columns(self) -> list[str]:
        """Columns that drifted."""
        return [s.removeprefix("columns:") for s in self.signals if s.startswith("columns:")]

    def line(self) -> str:
        """State and signals in a few words."""
        signals = named(self.signals)
        alarm = ", alarm" if self.alarms else ""
        return f"{self.status}{alarm}" + (f" ({signals})" if signals else "")


class ReplayRetraining(ReplayValues):
    """What a report's call for a retraining led to."""

    at: date
    state: str
    version: str  # the candidate; "": none
    live: bool

    def line(self) -> str:
        """In a few words."""
        if not self.version:
            return self.state
        return f"version {self.version} {'live' if self.live else 'refused'} on {self.at}"


class WindowProgress(ReplayValues):
    """One window: traffic, reports, labels, and what followed."""

    start: date
    end: date
    version: str = ""  # that answered
    rows: int = 0
    sent: int = 0  # by this replay; the others had an answer before
    labels: int = 0
    label_mean: float | None = None  # of the positive class its share
    first: WindowFigures | None = None  # before its labels came
    last: WindowFigures | None = None  # after
    first_version: float | None = None  # main metric that the first version would have reached
    cures: tuple[ReplayRetraining, ...] = ()


class ReplayProgress(ReplayValues):
    """All windows so far, and which entries of the agenda are done."""

    done: tuple[str, ...] = ()
    seen: tuple[WindowProgress, ...] = ()

    @property
    def candidates(self) -> frozenset[str]:
        """Versions that were made meanwhile."""
        return frozenset(made.version for window in self.seen for made in window.cures)

    def window(self, start: date, end: date) -> WindowProgress:
        """A window as far as it is known."""
        same = (window for window in self.seen if window.start == start)
        return next(same, WindowProgress(start=start, end=end))

    def noting(self, event: str, changed: WindowProgress) -> "ReplayProgress":
        """The same with one entry more done and its window changed."""
        others = [window for window in self.seen if window.start != changed.start]
        windows = sorted([*others, changed], key=lambda window: window.start)
        return ReplayProgress(done=(*self.done, event), seen=tuple(windows))


def label_name(use_case: UseCase) -> str:
    """What `label_mean` is."""
    return f"{use_case.target}, {'share' if use_case.task == 'binary' else 'mean'}"


def table(replayed: ReplayProgress, use_case: UseCase) -> list[list[str]]:
    """A line of words for each window, under a header."""
    head = [
        "window",
        "version",
        "rows",
        label_name(use_case),
        "estimated",
        "realised, 95 %",
        f"version {replayed.seen[0].version}" if replayed.seen else "",
        "first report",
        "with labels",
        "columns that moved",
        "retraining",
    ]
    return [head, *(_line(window) for window in replayed.seen)]


def markdown(replayed: ReplayProgress, use_case: UseCase) -> str:
    """The table for MLflow and for the docs."""
    head, *lines = ([plain(cell) for cell in line] for line in table(replayed, use_case))
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def headline(replayed: ReplayProgress, use_case: UseCase, parameters: Mapping[str, str]) -> str:
    """What a person reads first."""
    length = f"{len(replayed.seen)} windows, labels {parameters['label_lag_days']} days late."
    metric = use_case.evaluation.metric
    realised = [(r.value, window) for window in replayed.seen if (r := window.last) and r.value]
    values = ", ".join(f"{value:.3f} ({_name(window)})" for value, window in realised)
    return f"{length} {metric} realised: {values or 'no labels yet'}. Picture: artifact replay.png."


def _name(window: WindowProgress) -> str:
    return f"{window.start:%Y-%m}" if window.start.day == 1 else str(window.start)


def _line(window: WindowProgress) -> list[str]:
    first, last = window.first, window.last
    realised = "–"
    if last and last.value is not None:
        realised = f"{last.value:.3f} [{_figure(last.low)}, {_figure(last.high)}]"
    newest = last or first
    return [
        _name(window),
        window.version,
        count(window.rows),
        _figure(window.label_mean),
        _figure(newest.estimated if newest else None),
        realised,
        _figure(window.first_version),
        first.line() if first else "–",
        last.line() if last else "–",
        ", ".join(newest.columns if newest else []) or "–",
        "; ".join(dict.fromkeys(made.line() for made in window.cures)) or "–",
    ]


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
