"""How the scheduler is: one look at its jobs, and a small server that shows it.

`/health` is JSON, 200 when all is well and 503 when not; `/metrics` is for Prometheus; `/` for
people, as is `/overview.html`, which tells how every use case stands.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zoneinfo import ZoneInfo

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from contract.errors import BadInput
from contract.use_case.model import UseCase
from contract.use_case.sections.schedule import Job
from pipelines.scheduling.due import JobState, first_due, next_try

NEVER_RAN = "never ran"


@dataclass(frozen=True)
class JobHealth:
    """One job; moments are in the use case's time zone."""

    cron: str
    outcome: str  # never ran, running, done, failed, or waiting for another process
    done: str  # when the last run that did all its work began; empty: none did
    age_s: float | None  # since then
    running_since: str
    next_due: str
    due: bool
    failures: int  # since the last good run
    trouble: str
    well: bool


@dataclass(frozen=True)
class Health:
    """All jobs of a use case."""

    use_case: str
    time_zone: str
    well: bool
    jobs: dict[Job, JobHealth]


def health(
    use_case: UseCase, states: dict[Job, JobState], started: datetime, now: datetime
) -> Health:
    """How the jobs are. Not well: it failed `attempts` times, or is late by more than a deadline.

    `started` is when the scheduler began; a job that never ran is due since then. A job that waits
    for another one, which has a deadline of its own, is not late.
    """
    idle = not any(state.since for state in states.values())
    jobs = {job: _job(use_case, job, state, started, now, idle) for job, state in states.items()}
    return Health(use_case.name, use_case.time_zone, all(job.well for job in jobs.values()), jobs)


def _job(
    use_case: UseCase, job: Job, state: JobState, started: datetime, now: datetime, idle: bool
) -> JobHealth:
    schedule, zone = use_case.schedule, ZoneInfo(use_case.time_zone)
    due = first_due(use_case, job, state, started, now)
    late = idle and now - due > timedelta(seconds=schedule.deadline_s)
    upcoming = next_try(use_case, job, state, started, now)

    def local(at: datetime | None) -> str:
        return at.astimezone(zone).isoformat(timespec="seconds") if at else ""

    return JobHealth(
        cron=use_case.jobs[job],
        outcome=_outcome(state),
        done=local(state.done),
        age_s=(now - state.done).total_seconds() if state.done else None,
        running_since=local(state.since),
        next_due=local(upcoming),
        due=upcoming <= now and not state.since,
        failures=state.failures,
        trouble=state.trouble or state.notice,
        well=not late and state.failures < schedule.attempts,
    )


def _outcome(state: JobState) -> str:
    if state.since:
        return "running"
    if state.trouble:
        return "failed" if state.failures else "waiting"
    return "done" if state.done else NEVER_RAN


def as_json(report: Health) -> str:
    """For programs."""
    return json.dumps(asdict(report), indent=2)


def as_text(report: Health) -> str:
    """For people."""
    lines = [f"{report.use_case}: {'all is well' if report.well else 'NOT WELL'}", ""]
    for name, job in report.jobs.items():
        mark, upcoming = " " if job.well else "!", job.next_due
        if job.due or job.running_since:
            upcoming = "now"
        lines.append(f"{mark} {name:<9} {_past(job)}, next: {upcoming} ({job.cron})")
        lines += [f"            {job.trouble}"] if job.trouble else []
    return "\n".join(lines) + "\n"


def _past(job: JobHealth) -> str:
    if job.outcome == NEVER_RAN:
        return "has not run yet"
    last = f"last complete run: {job.done}" if job.done else "no complete run yet"
    return f"{job.outcome}, {last}"


def as_metrics(report: Health) -> bytes:
    """For Prometheus, in its text format."""
    registry, labels = CollectorRegistry(), ("use_case", "job")
    well = Gauge("fourcycle_job_well", "1: the job is well.", labels, registry=registry)
    failures = Gauge(
        "fourcycle_job_failures", "Failed runs since the last good one.", labels, registry=registry
    )
    age = Gauge(
        "fourcycle_job_age_seconds",
        "Since the last run that did all its work.",
        labels,
        registry=registry,
    )
    for name, job in report.jobs.items():
        well.labels(report.use_case, name).set(job.well)
        failures.labels(report.use_case, name).set(job.failures)
        if job.age_s is not None:
            age.labels(report.use_case, name).set(job.age_s)
    return generate_latest(registry)


@contextmanager
def served(
    look: Callable[[], Health],
    host: str,
    port: int,
    page: Callable[[str], bytes | None],
) -> Iterator[str]:
    """Serve what `look` answers while the block runs; the address.

    `page` makes the page at another path; None where there is none.
    """
    try:
        server = ThreadingHTTPServer((host, port), _handler(look, page))
    except OSError as error:
        raise BadInput(
            f"http://{host}:{port} can't be served ({error.strerror}); --port names another."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _handler(
    look: Callable[[], Health], page: Callable[[str], bytes | None]
) -> type[BaseHTTPRequestHandler]:
    """What answers each request."""

    class HealthHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            report = look()
            status, kind = HTTPStatus.OK, "text/plain; charset=utf-8"
            if self.path == "/health":
                kind, body = "application/json", as_json(report).encode()
                status = status if report.well else HTTPStatus.SERVICE_UNAVAILABLE
            elif self.path == "/metrics":
                kind, body = CONTENT_TYPE_LATEST, as_metrics(report)
            elif self.path == "/":
                body = as_text(report).encode()
            elif (made := page(self.path)) is not None:
                kind, body = "text/html; charset=utf-8", made
            else:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header(
                "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: probes ask every few seconds."""

    return HealthHandler
