"""The reference of Prometheus metrics: of the service, and of the scheduler."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.metrics import MetricWrapperBase

from docs.site.markdown import code, table
from pipelines.scheduling.health import Health, JobHealth, as_metrics
from serving.telemetry.metrics import Metrics

HEAD = """# Metrics

The service answers `/metrics` for all its workers together; with keys configured, a key needs the
scope `admin`. The scheduler has a page of its own, at `FOURCYCLE_SCHEDULE_PORT`. Figures of models
are no metrics of Prometheus: they stand in MLflow.

"""
LINE = re.compile(r"^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$", re.MULTILINE)


def page() -> str:
    """The whole page."""
    names = ("metric", "kind", "labels", "meaning")
    return (
        HEAD
        + "## Service\n\n"
        + table(names, _of_service())
        + "## Scheduler\n\n"
        + table(names, _of_scheduler())
    )


def _of_service() -> Iterator[tuple[str, str, str, str]]:
    for counted in vars(Metrics()).values():
        if not isinstance(counted, MetricWrapperBase):
            continue
        # No sample has labels before something was counted, so they are asked of the metric.
        labels = ", ".join(map(code, counted._labelnames))
        (family,) = counted.describe()
        suffix = "_total" if family.type == "counter" else ""
        yield code(f"{family.name}{suffix}"), family.type, labels, family.documentation


def _of_scheduler() -> Iterator[tuple[str, str, str, str]]:
    moment = datetime(2024, 1, 1, tzinfo=UTC).isoformat()
    job = JobHealth("0 1 * * *", "done", moment, 1.0, "", moment, False, 0, "", True)
    text = as_metrics(Health("flights", "UTC", True, {"monitor": job})).decode()
    for name, said, kind in LINE.findall(text):
        (labels,) = {tuple(re.findall(r"(\w+)=", line)) for line in _samples(text, name)}
        yield code(name), kind, ", ".join(map(code, labels)), said


def _samples(text: str, name: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith(f"{name}{{")]
