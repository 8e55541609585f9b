"""All containers of compose, brought up, worked with and hurt: `make images-test`.

One story, in the order of its tests: a version is trained and promoted, two services answer behind
nginx, are restarted, killed and left without database and store, and all that they acknowledged is
read back. What was measured goes to build/images.json.
"""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.serving.test_service import ROW
from tests.support.containers import (
    USERS,
    Containers,
    containers,
    docker,
    inspect,
    until,
    until_healthy,
)
from tests.support.project import PROJECT
from tests.support.service import Load
from tests.support.tracking import PASSWORD, as_admin, give_rights

pytestmark = pytest.mark.skipif(
    os.environ.get("FOURCYCLE_IMAGES") != "yes",
    reason="brings containers up and needs the images: make images-test",
)
VERSION = "0.2.0"
BASE = "python:3.11.14-slim-bookworm"
USE_CASE = "penguins"
LIMITS_MB = {"serving": 450, "jobs": 1400, "tracking": 1000}
CLIENTS = 8
SERVICES = ("serving-1", "serving-2")
READ_IDS = f"""
from contract.settings import read_settings
from contract.store.tables import Tables
tables, column = Tables(read_settings().root, {USE_CASE!r}), "prediction_id"
rows = tables.read('predictions', columns=[column])
print(*rows.column(column).to_pylist(), sep="\\n")
"""


class Figures(dict[str, float]):
    """What was measured, by its name and unit."""

    def time(self, name: str, began: float) -> None:
        """Seconds since then."""
        self[f"{name}_s"] = round(time.monotonic() - began, 1)


@pytest.fixture(scope="module")
def figures() -> Iterator[Figures]:
    """Written once, after the last test."""
    found = Figures()
    yield found
    (PROJECT / "build").mkdir(exist_ok=True)
    (PROJECT / "build/images.json").write_text(json.dumps(found, indent=1) + "\n")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    with containers(tmp_path_factory.mktemp("containers"), USE_CASE) as found:
        yield found


@pytest.fixture(scope="module")
def told() -> list[str]:
    """Prediction ids of every answer of the story that said it was logged."""
    return []


@contextmanager
def asking(up: Containers, told: list[str]) -> Iterator[Load]:
    """Clients that ask the front without a pause while the block runs."""
    load = Load(up.address("front"), {"rows": [ROW | {"penguin": 1}]})

    def ask() -> None:
        with httpx.Client(base_url=load.address, timeout=60) as client:
            while not load.stopping.is_set():
                load.ask(client)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.stopping.set()
        for thread in threads:
            thread.join()
        told += load.told


def restart(up: Containers, name: str) -> None:
    """Stop a service in order, as for a new image, and wait for it."""
    docker("restart", "--time", "75", name)
    until_healthy(name)


@pytest.mark.parametrize("image", LIMITS_MB)
def test_an_image_is_small_and_has_no_root(image: str, figures: Figures) -> None:
    found = inspect(f"fourcycle-{image}:{VERSION}")
    assert found["Config"]["User"] == "10001"
    over_base = (found["Size"] - inspect(BASE)["Size"]) / 1e6
    figures[f"{image}_image_mb"] = round(over_base)
    assert over_base <= LIMITS_MB[image]


def test_a_first_version_is_trained_and_promoted(up: Containers, figures: Figures) -> None:
    began = time.monotonic()
    up.compose("up", "-d", "tracking")
    up.await_health("postgres", "s3", "tracking")
    figures.time("tracking_healthy", began)
    for user in USERS:
        route = "2.0/mlflow/users/create"
        as_admin(up.address("tracking"), route, user, password=PASSWORD.format(user))
    began = time.monotonic()
    up.run("jobs")
    figures.time("trained_and_promoted", began)
    give_rights(up.address("tracking"), "serving", USE_CASE, "READ", "READ")


def test_two_services_answer_behind_nginx(
    up: Containers, figures: Figures, told: list[str]
) -> None:
    began = time.monotonic()
    up.compose("up", "-d", "front")
    up.await_health(*SERVICES, "front")
    figures.time("serving_healthy", began)
    with asking(up, told) as load:
        time.sleep(10)
    assert load.failed == []
    figures["requests_per_s"] = round(len(load.asked) / 10)
    assert len(up.of(*SERVICES)) == 2
    for name in up.of(*SERVICES):
        assert predicted(name), name


def predicted(name: str) -> bool:
    """Whether a service's own figures say that it answered rows."""
    ask = "from urllib.request import urlopen; "
    ask += "print(urlopen('http://127.0.0.1:8080/metrics').read().decode())"
    told = docker("exec", name, "python", "-c", ask)
    return 'fourcycle_requests_total{route="/predict",status="200"}' in told


def test_services_are_restarted_one_by_one_and_no_request_fails(
    up: Containers, figures: Figures, told: list[str]
) -> None:
    began = time.monotonic()
    with asking(up, told) as load:
        for name in up.of(*SERVICES):
            restart(up, name)
    figures.time("restarted_one_by_one", began)
    figures["requests_while_restarted"] = len(load.asked)
    figures["failed_while_restarted"] = len(load.failed)
    assert load.failed == []


def test_a_killed_service_costs_no_more_than_what_it_had_in_work(
    up: Containers, figures: Figures, told: list[str]
) -> None:
    first = up.of(*SERVICES)[0]
    with asking(up, told) as load:
        time.sleep(2)
        docker("kill", first)
        time.sleep(5)
        docker("start", first)
        until_healthy(first)
    figures["failed_when_one_was_killed"] = len(load.failed)
    assert len(load.failed) <= CLIENTS
    assert set(load.statuses) <= {200, 502}


def test_services_answer_while_database_and_store_are_away(
    up: Containers, figures: Figures, told: list[str]
) -> None:
    away = up.of("postgres", "s3")
    with asking(up, told) as load:
        docker("kill", *away)
        time.sleep(30)
        docker("start", *away)
        up.await_health("postgres", "s3", "tracking", *SERVICES)
    figures["requests_without_stores"] = len(load.asked)
    assert load.failed == []
    assert load.not_logged == []


def test_a_service_that_begins_without_its_stores_goes_on_from_its_cache(
    up: Containers, told: list[str]
) -> None:
    away = up.of("postgres", "s3", "tracking")
    docker("stop", *away)
    restart(up, up.of(*SERVICES)[0])
    with asking(up, told) as load:
        time.sleep(2)
    assert load.failed == []
    docker("start", *away)
    up.await_health("postgres", "s3", "tracking")


def test_every_acknowledged_row_is_read_back_once(
    up: Containers, figures: Figures, told: list[str]
) -> None:
    assert told

    def rows() -> list[str]:
        return up.run("jobs", "python", "-c", READ_IDS).split()

    waited = until(lambda: set(told) <= set(rows()), up.of(*SERVICES)[0])
    found = rows()
    figures |= {"acknowledged_rows": len(told), "shipped_within_s": round(waited, 1)}
    assert len(found) == len(set(found))
    assert set(told) - set(found) == set()


def test_no_container_writes_to_its_root_or_gains_rights(up: Containers) -> None:
    up.compose("up", "-d", "prometheus")
    up.compose("up", "-d", "--no-deps", "schedule", USE_CASE="flights")  # penguins have no times
    services = ("postgres", "s3", "tracking", "front", "schedule", "prometheus")
    for name in up.of(*services, *SERVICES):
        host = inspect(name)["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name


def test_prometheus_sees_every_process_and_has_the_rules(up: Containers) -> None:
    address = up.address("prometheus")

    def seen() -> list[tuple[str, str]]:
        try:
            answer = httpx.get(f"{address}/api/v1/targets", params={"state": "active"}).json()
        except httpx.TransportError:
            return []
        targets = answer["data"]["activeTargets"]
        return sorted((each["labels"]["job"], each["health"]) for each in targets)

    wanted = [("schedule", "up"), ("serving", "up"), ("serving", "up")]
    until(lambda: seen() == wanted, up.of("prometheus")[0])
    groups = httpx.get(f"{address}/api/v1/rules").json()["data"]["groups"]
    assert {group["name"] for group in groups} == {"fourcycle", "fourcycle-recorded"}


def test_the_store_is_backed_up_beside_running_services(up: Containers, figures: Figures) -> None:
    began = time.monotonic()
    up.run("backup")
    figures.time("backed_up", began)
    found = up.run("backup", "sh", "-c", "ls /backups/*")
    assert "backup.json" in found.split()
