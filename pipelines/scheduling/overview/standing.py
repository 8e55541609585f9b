"""How a use case stands: plain values, and what of them asks somebody to act. Pure."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from contract.names import TableName

Call = Literal["act", "look", "well"]  # for somebody to act, to look, or for nobody
# What a verdict of monitoring asks of people.
CALLS: dict[str, Call] = {
    "DRIFT": "act",
    "SCHEMA_CHANGED": "act",
    "WATCH": "look",
    "NO_REFERENCE": "look",
    "NOT_ENOUGH_DATA": "look",
    "NO_DATA": "look",
}
OLD_BACKLOG_S = 900.0  # answers that wait longer than that are not on their way


@dataclass(frozen=True)
class LiveVersion:
    """The version that answers, or why none does."""

    version: str  # "": none
    since: datetime | None  # UTC; None: no ledger tells
    why: str
    by: str


@dataclass(frozen=True)
class MeasuredQuality:
    """A figure of the main metric with its 95 % interval, and on what."""

    metric: str
    value: float
    low: float | None
    high: float | None
    on: str  # the holdout, or a window


@dataclass(frozen=True)
class NewestVerdict:
    """What monitoring said last of the live version."""

    state: str
    window: str
    reason: str
    report: str  # path in MLflow's user interface


@dataclass(frozen=True)
class SpoolBacklog:
    """What lies in this host's spool and is not in the tables yet."""

    rows: int
    age_s: float  # of the oldest part
    quarantined: int  # parts that could not be read
    problem: str


@dataclass(frozen=True)
class JobStanding:
    """One job by the clock, on this host."""

    name: str
    next_due: str  # local time; "now": it is due; "": nobody knows
    last: str  # local time of the last good run; "": none was
    failures: int
    trouble: str
    well: bool


@dataclass(frozen=True)
class UseCaseStanding:
    """One use case. What is empty or None is not known, or is not there."""

    name: str
    title: str
    owner: str
    description: str
    live: LiveVersion
    holdout: MeasuredQuality | None
    realised: MeasuredQuality | None  # by labels that came, of the newest window that has them
    verdict: NewestVerdict | None
    label_coverage: float | None  # share of that window's answers whose label is known
    backlog: SpoolBacklog | None  # None: no service has answered on this host
    waiting: str  # what waits for whom
    waits_for_person: bool
    jobs: tuple[JobStanding, ...]
    pipeline: str  # how the last run of the pipeline ended, where it failed
    notices: tuple[str, ...]  # late deliveries, moves by hand
    troubles: tuple[str, ...]  # what could not be read, in words
    tables: tuple[TableName, ...] = ()

    @property
    def failed_jobs(self) -> tuple[JobStanding, ...]:
        """Jobs whose last run did not do its work, or that are late."""
        return tuple(job for job in self.jobs if job.failures or not job.well)

    @property
    def reasons(self) -> list[tuple[Call, str]]:
        """Why somebody should act or look, the most urgent first."""
        found: list[tuple[Call, str]] = []
        if not self.live.version:
            waiting = f": {self.waiting}" if self.waiting else ""
            found.append(("act", f"no version is live{waiting}"))
        if self.verdict and self.verdict.state in CALLS:
            found.append((CALLS[self.verdict.state], f"the verdict is {self.verdict.state}"))
        found += [("act", f"the job {job.name} {_ill(job)}") for job in self.failed_jobs]
        if self.pipeline:
            found.append(("look", self.pipeline))
        if self.waits_for_person and self.live.version:
            found.append(("look", self.waiting))
        if self.backlog and (self.backlog.problem or self.backlog.quarantined):
            found.append(("act", "answers can't be brought into the tables"))
        elif self.backlog and self.backlog.rows and self.backlog.age_s > OLD_BACKLOG_S:
            found.append(("look", "answers wait for their shipper"))
        found += [("look", notice) for notice in self.notices]
        found += [("look", trouble) for trouble in self.troubles]
        return sorted(found, key=lambda pair: pair[0])  # act comes before look

    @property
    def call(self) -> Call:
        """What it asks of people."""
        return self.reasons[0][0] if self.reasons else "well"

    def document(self) -> dict[str, Any]:
        """As plain values, with what is asked of people and why."""
        reasons = [reason for _, reason in self.reasons]
        return {"call": self.call, "reasons": reasons, **asdict(self)}


def _ill(job: JobStanding) -> str:
    if job.failures:
        times = "once" if job.failures == 1 else f"{job.failures} times in a row"
        return f"failed {times}"
    return "is late"


def ordered(standings: list[UseCaseStanding]) -> list[UseCaseStanding]:
    """The most urgent first, then by name."""
    return sorted(standings, key=lambda standing: (standing.call, standing.name))
