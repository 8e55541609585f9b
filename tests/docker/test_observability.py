"""Rules and dashboard, asked of a real Prometheus that watches a real service and scheduler."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pipelines.main import Outcome
from pipelines.replaying.service_process import free_port
from tests.serving.test_service import ROW
from tests.support import service
from tests.support.project import PROJECT
from tests.support.rounds import FULL

PROMETHEUS = PROJECT / "docker/prometheus"
RULES = yaml.safe_load((PROMETHEUS / "rules.yaml").read_text(encoding="utf-8"))["groups"]
BOARD = json.loads((PROJECT / "docker/grafana/dashboards/fourcycle.json").read_text("utf-8"))
QUERIES = [
    target["expr"].replace("[5m]", "[10s]") for p in BOARD["panels"] for target in p["targets"]
]
SOON = {"log_segment_s": "0.2", "ship_every_s": "0.2"}
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="no Prometheus here: scripts/debian installs it"
)


@needs_prometheus
@pytest.mark.parametrize(
    "check",
    [
        ("check", "rules", "rules.yaml"),
        ("check", "config", "--syntax-only", "prometheus.yaml"),
        ("test", "rules", "rules.test.yaml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing(check: tuple[str, ...]) -> None:
    command = ["promtool", *check]
    done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_is_wrong_and_where_to_look() -> None:
    alerts = [rule for group in RULES for rule in group["rules"] if "alert" in rule]
    for alert in alerts:
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"]
        assert (PROJECT / alert["annotations"]["look"]).is_file()


def test_what_watches_is_described_as_compose_wants_it() -> None:
    text = (PROJECT / "docker/compose.watch.yaml").read_text(encoding="utf-8")
    for found in yaml.safe_load(text)["services"].values():
        assert [port for port in found["ports"] if not port.startswith("127.0.0.1:")] == []
        for volume in found["volumes"]:
            place = volume.partition(":")[0]
            assert not place.startswith(".") or (PROJECT / "docker" / place).is_dir()


def test_the_hosts_are_those_of_compose() -> None:
    compose = yaml.safe_load((PROJECT / "docker/compose.yaml").read_text(encoding="utf-8"))
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text(encoding="utf-8"))
    hosts = set()
    for scraped in config["scrape_configs"]:
        for found in scraped.get("static_configs", []):
            hosts |= {target.partition(":")[0] for target in found["targets"]}
        for asked in scraped.get("dns_sd_configs", []):  # as many as there are
            hosts |= set(asked["names"])
    networks = [s["networks"]["default"] for s in compose["services"].values() if "networks" in s]
    aliases = {alias for network in networks for alias in network["aliases"]}
    assert hosts <= set(compose["services"]) | aliases


@contextmanager
def started(command: list[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    """A process that ends with the block."""
    process = subprocess.Popen(
        command, env=os.environ | environment, cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=service.PATIENCE_S)


def configured(folder: Path, serving: str, schedule: str) -> Path:
    """The shipped configuration, for addresses of this host and in seconds for minutes."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for scraped in config["scrape_configs"]:
        address = {"serving": serving, "schedule": schedule}[scraped["job_name"]]
        scraped.pop("dns_sd_configs", None)
        scraped["static_configs"] = [{"targets": [address]}]
    rules = (PROMETHEUS / "rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(rules.replace("[5m]", "[10s]"), encoding="utf-8")
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return file


@needs_prometheus
@pytest.mark.skipif(not FULL, reason="a service, a scheduler and Prometheus: make faults")
def test_each_query_of_the_dashboard_returns_figures(
    trained: tuple[Path, Outcome], home: Path
) -> None:
    uri = f"sqlite:///{trained[0]}/mlflow.db"
    service.copy_ledger(trained[0] / "data", home / "data")
    scheduled, asked = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    schedule = [sys.executable, "-m", "pipelines.schedule", "--use-case", "flights"]
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/jobs.db", "PYTHONPATH": str(PROJECT)}
    with (
        service.running(
            "penguins", uri, home, log_segment_s="0.2", ship_every_s="0.2"
        ) as answering,
        started([*schedule, "--port", scheduled.partition(":")[2]], environment, home),
    ):
        service.until(answering.ready)
        config = configured(home, answering.address.removeprefix("http://"), scheduled)
        prometheus = ["prometheus", f"--config.file={config}", f"--web.listen-address={asked}"]
        with started([*prometheus, f"--storage.tsdb.path={home}/tsdb"], {}, home):

            def missing() -> list[str]:
                body = {"rows": [ROW | {"penguin": 1}]}
                httpx.post(f"{answering.address}/predict", json=body).raise_for_status()
                return [query for query in QUERIES if not figures(asked, query)]

            service.until(lambda: not missing())
            assert answer(asked, "ALERTS{alertstate='firing'}") == []


def figures(asked: str, query: str) -> list[float]:
    """What a query answers that is a number."""
    values = [float(series["value"][1]) for series in answer(asked, query)]
    return [value for value in values if value == value]  # noqa: PLR0124  # not NaN


def answer(asked: str, query: str) -> list[dict[str, Any]]:
    """What Prometheus answers; nothing while it starts."""
    try:
        found = httpx.get(f"http://{asked}/api/v1/query", params={"query": query}, timeout=10)
    except httpx.TransportError:
        return []
    assert found.status_code in (200, 503), f"{query}: {found.text}"
    result: list[dict[str, Any]] = found.json()["data"]["result"] if found.is_success else []
    return result


def test_every_name_that_is_asked_for_is_one_of_ours() -> None:
    texts = [rule["expr"] for group in RULES for rule in group["rules"]] + QUERIES
    asked = {name for text in texts for name in re.findall(r"fourcycle_[a-z_]+", text)}
    code = "".join(
        (PROJECT / file).read_text(encoding="utf-8")
        for file in ("serving/telemetry/metrics.py", "pipelines/scheduling/health.py")
    )
    ours = set(re.findall(r'"(fourcycle_[a-z_]+)"', code))
    assert {re.sub("_(total|bucket|sum|count)$", "", name) for name in asked} <= ours
