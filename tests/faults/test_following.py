"""The registry moves, breaks and goes away under a service that keeps answering."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from contract.names import CHALLENGER, CHAMPION, SCORER_DIR
from contract.processes import GIVE_WAY
from pipelines.package import seal
from pipelines.replaying.service_process import free_port
from serving.scoring.scorer import GRAPH_FILE, SCORER_FILE
from tests.support.rounds import rounds
from tests.support.service import Asked, Service, load, running, until
from tests.support.shop import ANSWERS, BODY, Case
from tests.support.traffic import assert_exactly_once


def mixed(asked: list[Asked], answers: dict[str, list[str]]) -> list[Asked]:
    """Answers that are not those of the version that they name."""
    return [
        one
        for one in asked
        if [row["prediction"] for row in one.body["predictions"]] != answers[str(one.version)]
        or one.body["version"] != one.version
    ]


def test_promotions_under_load_cost_no_request_and_mix_no_answer(case: Case) -> None:
    answers = {case.promote(0): ANSWERS[0]}
    case.warm()
    two = {"serve_workers": "2", "log_segment_s": "0.5", "ship_every_s": "0.5"}
    with running(case.use_case, case.shop.uri, case.folder, **two) as service:
        until(service.ready)
        with load(service.address, BODY) as asking:
            for which in range(1, rounds(few=5, full=40) + 1):
                version = case.promote(which)
                answers[version] = ANSWERS[which % 2]
                until(all_answer, service, version)
        assert asking.failed == []
        assert mixed(asking.asked, answers) == []
        assert {one.version for one in asking.asked} == set(answers)
        assert service.known().trouble == ""
        until(lambda: len(logged(service)) >= len(asking.told))
        assert_exactly_once(asking.told, service.tables)
        rows = logged(service)
        for one in asking.asked:
            told = [row["prediction"] for row in one.body["predictions"]]
            assert [rows[i] for i in one.ids] == [(one.version, value) for value in told]


def logged(service: Service) -> dict[str, tuple[str, str]]:
    """Version and prediction of each row of the table."""
    if not service.tables.exists("predictions"):
        return {}
    found = service.tables.read("predictions", columns=["prediction_id", "version", "prediction"])
    columns = found.to_pydict().values()
    return {i: (version, value) for i, version, value in zip(*columns, strict=True)}


def test_all_workers_take_a_promotion_over_within_two_polls(case: Case) -> None:
    case.promote(0)
    case.warm()
    poll_s = 10  # long, so that what a loaded machine takes to check a version is short beside it
    settings = {"serve_workers": "2", "serve_poll_s": str(poll_s)}
    with running(case.use_case, case.shop.uri, case.folder, **settings) as service:
        until(service.ready)
        (follower,) = service.parts("serving.follow")
        assert follower.nice() == GIVE_WAY  # its cache held a version from the start
        version = case.promote(1)
        promoted = time.monotonic()
        until(all_answer, service, version)
        assert time.monotonic() - promoted < 2 * poll_s


def all_answer(service: Service, version: str) -> bool:
    """Whether fresh connections, which any worker may take, get the version, and both serve it."""
    if {service.version() for _ in range(10)} != {version}:
        return False
    name = service.known().name
    return f'workers_serving{{model="{name}",version="{version}"}} 2.0' in metrics(service)


def metrics(service: Service) -> str:
    return httpx.get(f"{service.address}/metrics", timeout=20).text


def change(package: Path, file: str, content: bytes) -> None:
    (package / file).write_bytes(content)
    seal(package)


def cut(package: Path) -> None:
    """The file is shorter than when it was sealed."""
    file = package / SCORER_DIR / GRAPH_FILE
    file.write_bytes(file.read_bytes()[:-100])


def corrupt(package: Path) -> None:
    """The file is damaged, and sealed as it is."""
    change(package, f"{SCORER_DIR}/{GRAPH_FILE}", b"no graph")


def without_number(package: Path) -> None:
    """The graph answers NaN."""
    file = package / SCORER_DIR / GRAPH_FILE
    graph = onnx.load_model_from_string(file.read_bytes())
    for part in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(part)
        if values.dtype == np.float64:
            part.CopyFrom(onnx.numpy_helper.from_array(values * np.nan, part.name))
    change(package, f"{SCORER_DIR}/{GRAPH_FILE}", graph.SerializeToString())


def other_columns(package: Path) -> None:
    """The scorer asks for columns that the use case does not declare as features."""
    for name in (SCORER_FILE, "golden.json"):
        file = package / SCORER_DIR / name
        change(package, f"{SCORER_DIR}/{name}", file.read_bytes().replace(b'"size"', b'"width"'))


def no_use_case(package: Path) -> None:
    """The copy of the use case is unreadable."""
    change(package, "use_case.yaml", b"name: [")


def no_scorer(package: Path) -> None:
    """There is no compiled scorer, and the use case does not allow another."""
    change(package, f"{SCORER_DIR}/{SCORER_FILE}", b'{"not_compiled": "Too odd."}')


BAD: list[tuple[Callable[[Path], None], str]] = [
    (cut, "differing: scorer/model.onnx"),
    (corrupt, "can't be served"),
    (without_number, "no usable answer"),
    (other_columns, "width"),
    (no_use_case, "no readable YAML"),
    (no_scorer, "Too odd."),
]


def test_a_bad_version_is_refused_with_its_reason_and_the_old_one_serves_on(case: Case) -> None:
    good = case.promote(0)
    case.warm()
    with running(case.use_case, case.shop.uri, case.folder) as service:
        until(service.ready)
        with load(service.address, BODY, clients=2, pause_s=0.05) as asking:
            for which, (spoil, reason) in enumerate(BAD, start=1):
                package = case.package(which)
                spoil(package)
                version = case.registry.promote(package)
                until(refused, service, version)
                assert reason in refused(service, version)
                assert service.known().trouble.endswith(f"version {good} serves on.")
            until(lambda: f"fourcycle_refused_versions {len(BAD)}.0" in metrics(service))
        assert asking.failed == []
        assert {one.version for one in asking.asked} == {good}
        better = case.promote(len(BAD) + 1)
        until(lambda: service.version() == better)
        assert service.known().trouble == ""


def refused(service: Service, version: str) -> str:
    """The reason why a version is refused; empty while it is not."""
    return next((r.reason for r in service.known().refused if r.version == version), "")


def test_the_alias_is_moved_and_deleted_by_hand_and_the_version_deleted(case: Case) -> None:
    first, second = case.promote(0), case.promote(1)
    case.warm()
    registry = case.registry
    with running(case.use_case, case.shop.uri, case.folder) as service:
        until(service.ready)
        with load(service.address, BODY, clients=2, pause_s=0.05) as asking:
            registry.point(first)
            until(lambda: "moved to version 1 by hand" in service.known().trouble)
            registry.client.delete_registered_model_alias(registry.name, CHAMPION)
            until(lambda: "moved away by hand" in service.known().trouble)
            registry.point(second)
            until(lambda: not service.known().trouble)
            registry.client.delete_model_version(registry.name, second)
            until(lambda: "was deleted from the registry" in service.known().trouble)
            assert service.version() == second
            registry.move(first, "rollback")
            until(lambda: service.version() == first and not service.known().trouble)
        assert asking.failed == []
        assert mixed(asking.asked, {first: ANSWERS[0], second: ANSWERS[1]}) == []


@contextmanager
def tracking_server(store: str, folder: Path, port: int) -> Iterator[int]:
    """A real MLflow server over a store; its process group, which is killed in the end."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "tracking.log").open("ab") as lines:
        process = subprocess.Popen(
            command, stdout=lines, stderr=lines, cwd=folder, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_registry_is_away_at_the_start_and_while_serving(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    first = case.promote(0)
    with running(case.use_case, uri, case.folder) as service:
        until(lambda: "does not answer" in service.known().trouble)
        assert not service.ready()
        (follower,) = service.parts("serving.follow")
        until(lambda: follower.nice() == GIVE_WAY)  # nobody waits for it any more
        assert service.process.poll() is None
        with load(service.address, BODY, clients=2, pause_s=0.05) as asking:
            with tracking_server(case.shop.uri, case.folder, port) as group:
                until(service.ready)
                ready = time.monotonic()
                os.killpg(group, signal.SIGSTOP)
                until(lambda: not service.known().reachable)
                time.sleep(rounds(few=1, full=60))
                os.killpg(group, signal.SIGCONT)  # not later: it may hold a lock of the database
                second = case.promote(1)
                until(lambda: service.version() == second)
            until(lambda: not service.known().reachable)  # killed: it refuses connections
            time.sleep(rounds(few=1, full=60))
            versions = [first, second]
            for _ in range(rounds(few=0, full=1)):  # a start of the server costs 10 s
                versions.append(case.promote(2))
                with tracking_server(case.shop.uri, case.folder, port):
                    until(lambda: service.version() == versions[-1])
            asked = [one for one in asking.asked if one.began > ready]
        assert {one.status for one in asked} == {200}
        answers = {version: ANSWERS[which % 2] for which, version in enumerate(versions)}
        assert mixed(asked, answers) == []
    with running(case.use_case, uri, case.folder) as service:
        until(service.ready)
        assert service.version() == versions[-1]
        until(lambda: "does not answer" in service.known().trouble)
        until(lambda: degraded(service) == (True, True, versions[-1]))


def degraded(service: Service) -> tuple[bool, bool, str]:
    """What /ready says: ready, degraded, and the version."""
    found = httpx.get(f"{service.address}/ready", timeout=20).json()
    return found["ready"], found["degraded"], found["version"]


def test_a_challenger_scores_beside_the_answers(case: Case) -> None:
    champion, challenger = case.promote(0), case.registry.add(case.package(1))
    case.registry.point(challenger, CHALLENGER)
    quick = {"serve_shadow": "true", "log_segment_s": "0.2", "ship_every_s": "0.2"}
    with running(case.use_case, case.shop.uri, case.folder, **quick) as service:
        until(lambda: service.ready() and service.known().challenger)
        for _ in range(5):
            answer = httpx.post(f"{service.address}/predict", json=BODY)
            assert [row["prediction"] for row in answer.json()["predictions"]] == ANSWERS[0]
        counted = f'fourcycle_shadow_rows{{version="{challenger}",what="differ"}} 10.0'
        until(lambda: counted in metrics(service))
    rows = service.tables.read("predictions").to_pylist()
    pairs = {(row["prediction"], row["shadow"]) for row in rows}
    assert pairs == {("a", "b"), ("b", "a")}
    versions = {(row["version"], row["shadow_version"]) for row in rows}
    assert versions == {(champion, challenger)}


def test_a_follower_that_dies_is_started_again(case: Case) -> None:
    case.promote(0)
    case.warm()
    with running(case.use_case, case.shop.uri, case.folder) as service:
        until(service.ready)
        (follower,) = service.parts("serving.follow")
        follower.kill()
        version = case.promote(1)
        until(lambda: service.version() == version)
        assert "follower ended with exit code -9" in service.said.read_text()


def test_a_worker_that_finds_its_package_damaged_answers_again(case: Case) -> None:
    version = case.promote(0)
    case.warm()
    with running(case.use_case, case.shop.uri, case.folder) as service:
        until(service.ready)
        champion = service.known().champion
        assert champion
        file = service.cache.version_folder(champion.digest) / SCORER_DIR / GRAPH_FILE
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        (worker,) = service.parts("serving.worker")
        worker.kill()
        until(lambda: "differing: scorer/model.onnx" in service.said.read_text())
        until(lambda: service.version() == version)
        assert file.read_bytes() == whole
        assert httpx.post(f"{service.address}/predict", json=BODY, timeout=20).status_code == 200


def test_two_services_of_one_host_share_a_follower(case: Case) -> None:
    case.promote(0)
    case.warm()
    uri = case.shop.uri
    with (
        running(case.use_case, uri, case.folder) as first,
        running(case.use_case, uri, case.folder) as second,
    ):
        until(lambda: first.ready() and second.ready())
        version = case.promote(1)
        until(lambda: first.version() == version == second.version())
        assert first.stop() == 0  # whichever follows: the other takes over
        version = case.promote(2)
        until(lambda: second.version() == version)
