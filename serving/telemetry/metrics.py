"""Counters for Prometheus, right for all workers together.

Each worker counts in files that all of them share (prometheus_client's multiprocess mode, when
PROMETHEUS_MULTIPROC_DIR is set before this module is imported); without it, in memory. Requests
and rows are added up and told a few times a second: one by one they cost 5.6 µs each in files and
1.9 µs in memory, twice that where other work has filled the processor's cache.
"""

import os
import re
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.openmetrics import exposition as openmetrics

if TYPE_CHECKING:
    from serving.scoring.champion import Status
    from serving.shipping.shipper_status import ShipperStatus

PLAIN = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS = openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
SHARED = "PROMETHEUS_MULTIPROC_DIR"
TELL_S = 0.1  # between two times that counts are told
QVALUE = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")  # RFC 9110, 12.4.2
LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What one worker counts."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._last: Status | None = None
        self._count_answers()
        self._gauge_workers()
        self._gauge_log()

    def _count_answers(self) -> None:
        count = partial(Counter, registry=self._registry)
        self._requests = count("fourcycle_requests", "Requests", ["route", "status"])
        self._latency = Histogram(
            "fourcycle_request_seconds",
            "Seconds from the head of a request to the end of its answer",
            ["route"],
            registry=self._registry,
            buckets=LATENCY_S,
        )
        self._rows = count("fourcycle_rows", "Rows answered", ["version", "logged"])
        self._rejections = count("fourcycle_rejections", "Requests not answered", ["reason"])
        self._flags = count(
            "fourcycle_flags", "Values unseen or out_of_range, and answered", ["flag", "column"]
        )
        self._feedback = count("fourcycle_feedback_rows", "Labels accepted")
        self._reloads = count("fourcycle_reloads", "Versions loaded by workers", ["result"])
        # Finding a child by its labels costs as much as counting with it.
        self._request_of = cache(self._requests.labels)
        self._latency_of = cache(self._latency.labels)
        self._rows_of = cache(self._rows.labels)
        self._begin()

    def _begin(self) -> None:
        """Nothing was counted that was not told."""
        self._new_requests: Tally[tuple[str, int]] = Tally()
        self._new_rows: Tally[tuple[str, str]] = Tally()
        self._new_seconds: defaultdict[str, list[float]] = defaultdict(list)

    def _gauge_workers(self) -> None:
        total = partial(Gauge, registry=self._registry, multiprocess_mode="livesum")
        most = partial(Gauge, registry=self._registry, multiprocess_mode="livemax")
        self._serving = total(
            "fourcycle_workers_serving", "Workers that answer with a version", ["model", "version"]
        )
        self._ready = total("fourcycle_workers_ready", "Workers that are ready")
        self._age = most("fourcycle_registry_age_seconds", "Seconds since the registry answered")
        self._refused = most("fourcycle_refused_versions", "Versions that are refused")

    def _gauge_log(self) -> None:
        most = partial(Gauge, registry=self._registry, multiprocess_mode="livemax")
        of_table = partial(most, labelnames=["table"])
        self._backlog = of_table("fourcycle_log_backlog_rows", "Rows that wait for their table")
        self._backlog_bytes = of_table(
            "fourcycle_log_backlog_bytes", "Size of the closed segments that hold them"
        )
        self._backlog_age = of_table(
            "fourcycle_log_backlog_age_seconds", "Age of the oldest of them"
        )
        self._shipper_age = of_table(
            "fourcycle_shipper_age_seconds", "Seconds since the shipper last looked at the spool"
        )
        self._quarantined = of_table(
            "fourcycle_log_quarantined", "Pieces of the log that could not be read"
        )
        self._shadow_rows = most(
            "fourcycle_shadow_rows",
            "Rows that the challenger scored too, those left over when its time was up, and those "
            "where its prediction differs",
            ["version", "what"],
        )
        self._shadow_seconds = most(
            "fourcycle_shadow_seconds", "Time that the challenger has taken for them", ["version"]
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request, whatever the answer."""
        self._new_requests[route, status] += 1
        self._new_seconds[route].append(seconds)

    def tell(self) -> None:
        """Hand on what was counted since the last time."""
        requests, rows, seconds = self._new_requests, self._new_rows, self._new_seconds
        self._begin()
        for (route, status), times in requests.items():
            self._request_of(route, status).inc(times)
        for (version, logged), n_rows in rows.items():
            self._rows_of(version, logged).inc(n_rows)
        for route, taken in seconds.items():
            _observe(self._latency_of(route), taken)

    def rejection(self, reason: str) -> None:
        """Count a request that got no rows back."""
        self._rejections.labels(reason).inc()

    def rows(self, version: str, flags: Mapping[str, int], n_rows: int, logged: bool) -> None:
        """Count answered rows, and how often each flag was put on them."""
        self._new_rows[version, "yes" if logged else "no"] += n_rows
        for flag, times in flags.items():
            self._flags.labels(*flag.split(":", 1)).inc(times)

    def feedback(self, n_rows: int) -> None:
        """Count accepted labels."""
        self._feedback.inc(n_rows)

    def status(self, status: "Status") -> None:
        """Take over what the worker knows of its version and of the registry."""
        last = self._last
        self._reloads.labels("loaded").inc(status.swaps - (last.swaps if last else 0))
        self._reloads.labels("failed").inc(status.failures - (last.failures if last else 0))
        if last and last.served:
            self._serving.labels(last.served.name, last.served.version).set(0)
        if status.served:
            self._serving.labels(status.served.name, status.served.version).set(1)
        self._ready.set(status.ready)
        if status.registry_age_s is not None:
            self._age.set(status.registry_age_s)
        self._refused.set(len(status.refused))
        self._last = status

    def backlog(self, table: str, shipper: "ShipperStatus | None") -> None:
        """Take over what the shipper says of a table's spool; None: it has not run yet."""
        if shipper:
            self._backlog.labels(table).set(shipper.backlog_rows)
            self._backlog_bytes.labels(table).set(shipper.backlog_bytes)
            self._backlog_age.labels(table).set(shipper.backlog_age_s)
            self._quarantined.labels(table).set(shipper.quarantined)
            self._shipper_age.labels(table).set(time.time() - shipper.time)
        if shipper and (shadow := shipper.shadow) and shadow.version:
            for what in ("scored", "skipped", "differ"):
                self._shadow_rows.labels(shadow.version, what).set(getattr(shadow, what))
            self._shadow_seconds.labels(shadow.version).set(shadow.seconds)

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All workers' counts and their media type: OpenMetrics for whoever accepts it, else
        Prometheus's text format."""
        self.tell()
        encode, media_type = OPENMETRICS if prefers_openmetrics(accept) else PLAIN
        folder = os.environ.get(SHARED)
        if folder is None:
            return encode(self._registry), media_type
        _forget_the_dead(Path(folder))
        everybody = CollectorRegistry()
        everybody.register(WholeFiles(None, folder))  # type: ignore[no-untyped-call]
        return encode(everybody), media_type


def _observe(histogram: Histogram, amounts: list[float]) -> None:
    """What `observe` does for each of the amounts, for all of them together."""
    histogram._sum.inc(sum(amounts))
    for place, times in Tally(bisect_left(LATENCY_S, amount) for amount in amounts).items():
        histogram._buckets[place].inc(times)


def prefers_openmetrics(accept: str) -> bool:
    """Whether an Accept names OpenMetrics 1, and not with less weight than plain text."""
    weights = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (piece.strip() for piece in part.lower().split(";"))
        told = dict(piece.split("=", 1) for piece in parameters if "=" in piece)
        ours = kind == "text/plain" or told.get("version", "1.0.0") in ("1.0.0", "0.0.1")
        if kind in weights and ours:
            weights[kind] = max(weights[kind], _weight(told.get("q", "1")))
    preferred, plain = weights.values()
    return preferred > 0 and preferred >= plain


def _weight(text: str) -> float:
    return float(text) if QVALUE.fullmatch(text) else 0.0


class WholeFiles(MultiProcessCollector):
    """Merges the files that can be read: a worker that is killed may leave a torn or empty one."""

    def collect(self) -> Iterable[Metric]:
        """All counts of all whole files."""
        whole = filter(self._reads, map(str, Path(self._path).glob("*.db")))
        merged: Iterable[Metric] = self.merge(whole)  # type: ignore[no-untyped-call]
        return merged

    def _reads(self, file: str) -> bool:
        try:
            self.merge([file])  # type: ignore[no-untyped-call]
        except Exception:  # the library tells no damage from another: five types by its bytes
            return False
        return True


def _forget_the_dead(folder: Path) -> None:
    """A worker that was killed is no longer ready, whatever its file says; its counts stay."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
