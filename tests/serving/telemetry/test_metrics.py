"""Several workers count in shared files: each tells all counts, and a dead one is not ready."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from serving.telemetry.metrics import Metrics, prefers_openmetrics
from tests.support.project import PROJECT

OPENMETRICS = "application/openmetrics-text"

COUNTING = """
import sys
from serving.scoring.champion import Status
from serving.telemetry.metrics import Metrics
from serving.shipping.shipper_status import ShipperStatus
metrics = Metrics()
metrics.request("/predict", 200, 0.003)
metrics.rows("7", {"unseen:island": 1}, 2, True)
metrics.rows("7", {}, 1, False)
metrics.status(Status("made", None, None, False, (), 1.5, 3, 2, (), None))
metrics.backlog("predictions", ShipperStatus(0, 1, 0, 40, 5000, 6.5, 7, ""))
metrics._ready.set(1)
print(metrics.text(*sys.argv[1:])[0].decode())
"""


def counted(folder: Path | None, accept: str = "") -> list[str]:
    """What a process of its own tells after it has counted, and ended."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    environment |= {"PROMETHEUS_MULTIPROC_DIR": str(folder)} if folder else {}
    command = [sys.executable, "-c", COUNTING, accept]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_counts_outlive_a_worker_and_its_readiness_does_not(home: Path) -> None:
    counted(home)
    told = counted(home)
    for line in (
        'fourcycle_requests_total{route="/predict",status="200"} 2.0',
        'fourcycle_request_seconds_count{route="/predict"} 2.0',
        'fourcycle_request_seconds_bucket{le="0.005",route="/predict"} 2.0',
        'fourcycle_rows_total{logged="yes",version="7"} 4.0',
        'fourcycle_flags_total{column="island",flag="unseen"} 2.0',
        'fourcycle_reloads_total{result="loaded"} 6.0',
        'fourcycle_rows_total{logged="no",version="7"} 2.0',
        'fourcycle_reloads_total{result="failed"} 4.0',
        'fourcycle_log_backlog_rows{table="predictions"} 40.0',
        'fourcycle_log_backlog_bytes{table="predictions"} 5000.0',
        'fourcycle_log_backlog_age_seconds{table="predictions"} 6.5',
        'fourcycle_log_quarantined{table="predictions"} 7.0',
        "fourcycle_workers_ready 1.0",
        "fourcycle_registry_age_seconds 1.5",
    ):
        assert line in told


@pytest.mark.parametrize("shared", [True, False], ids=["files", "memory"])
def test_both_formats_are_what_a_strict_reader_takes(
    home: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    folder = home if shared else None
    told = "\n".join(counted(folder, OPENMETRICS))
    assert told.rstrip().endswith("# EOF")
    families = openmetrics.text_string_to_metric_families(told)  # type: ignore[no-untyped-call]
    strict = {family.name: family for family in families}
    assert strict["fourcycle_requests"].type == "counter"
    plain = "\n".join(counted(folder)) + "\n"
    names = {family.name for family in parser.text_string_to_metric_families(plain)}
    assert set(strict) == names


@pytest.mark.parametrize(
    ("accept", "preferred"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        (OPENMETRICS, True),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", True),
        ("application/openmetrics-text;version=0.0.1;q=0.2, text/plain;q=0.5", False),
        ("application/openmetrics-text;version=9.9.9", False),
        ("application/openmetrics-text;version=no", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nan", False),
    ],
)
def test_who_asks_for_openmetrics_gets_it(accept: str, preferred: bool) -> None:
    assert prefers_openmetrics(accept) == preferred


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counts")
    counted(folder)
    return folder


@pytest.mark.parametrize(
    "left",
    [b"", b"\x2c", (300).to_bytes(4, "little") + bytes(12), b"\xff" * 4096, b"not counts" * 99],
    ids=["empty", "cut", "zeros", "ones", "foreign"],
)
@pytest.mark.parametrize("kind", ["counter", "histogram", "gauge_livesum", "gauge_livemax"])
def test_what_a_killed_worker_left_half_written_hides_no_other_s_counts(
    monkeypatch: pytest.MonkeyPatch, home: Path, counts: Path, kind: str, left: bytes
) -> None:
    shutil.copytree(counts, home, dirs_exist_ok=True)
    (home / f"{kind}_{os.getpid()}.db").write_bytes(left)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(home))
    told = Metrics().text()[0].decode().splitlines()
    assert 'fourcycle_requests_total{route="/predict",status="200"} 1.0' in told
    assert 'fourcycle_request_seconds_count{route="/predict"} 1.0' in told
