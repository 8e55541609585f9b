"""The processes of the service die, are told to stop, and lose their parent."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil

from pipelines.runtime.code_hash import PROJECT
from tests.support.rounds import rounds
from tests.support.service import Service, load, running, until
from tests.support.shop import BODY, Case

# What a worker must never load: each costs seconds or a hundred megabytes.
HEAVY = {"mlflow", "sklearn", "pandas", "great_expectations", "evidently", "skops", "scipy"}


def open_for_callers(service: Service) -> bool:
    host, port = service.address.removeprefix("http://").split(":")
    with socket.socket() as caller:
        return caller.connect_ex((host, int(port))) == 0


def test_every_accepted_request_is_answered_while_the_service_stops(case: Case) -> None:
    case.promote(0)
    case.warm()
    for _ in range(rounds(few=1, full=20)):
        settings = {"serve_workers": "2", "serve_drain_s": "0.5"}
        with running(case.use_case, case.shop.uri, case.folder, **settings) as service:
            until(service.ready)
            with load(service.address, BODY, clients=8, pause_s=0.001) as asking:
                until(lambda: len(asking.asked) > 50)
                service.process.terminate()
                until(lambda: not service.ready())
                assert open_for_callers(service)
                assert service.process.wait(timeout=60) == 0
            assert asking.failed == []
            assert sum(asked.goodbye for asked in asking.asked) == 8
            assert not open_for_callers(service)


def test_a_killed_worker_is_replaced_while_the_other_answers(case: Case) -> None:
    case.promote(0)
    case.warm()
    with running(case.use_case, case.shop.uri, case.folder, serve_workers="2") as service:
        until(service.ready)
        until(lambda: len(service.parts("serving.worker")) == 2)
        until(all_are_told, service)
        for _ in range(rounds(few=2, full=50)):
            killed = service.parts("serving.worker")[0]
            killed.kill()
            for _ in range(20):  # whoever calls now is taken by the other
                assert service.ready()
            until(lambda gone=killed.pid: all_new(service, gone))
            until(all_are_told, service)


def all_are_told(service: Service) -> bool:
    """Whether any worker says that both are ready, with one version."""
    told = httpx.get(f"{service.address}/ready", timeout=5).json()["workers"]
    return bool(told == {"asked": 2, "running": 2, "ready": 2, "versions": told["versions"]})


def all_new(service: Service, gone: int) -> bool:
    there = [process.pid for process in service.parts("serving.worker")]
    return len(there) == 2 and gone not in there


def test_when_the_supervisor_is_killed_its_processes_end_and_the_port_is_free(case: Case) -> None:
    case.promote(0)
    case.warm()
    with running(case.use_case, case.shop.uri, case.folder, serve_workers="2") as service:
        until(service.ready)
        children = psutil.Process(service.process.pid).children(recursive=True)
        service.process.kill()
        service.process.wait()
        until(lambda: not any(child.is_running() for child in children))
        assert not open_for_callers(service)


def test_a_worker_is_ready_soon_and_small_and_loads_nothing_heavy(case: Case) -> None:
    """Its own time is counted, not that of the clock, which other tests slow down."""
    case.promote(0)
    case.warm()
    with running(case.use_case, case.shop.uri, case.folder) as service:
        until(service.ready)
        httpx.post(f"{service.address}/predict", json=BODY).raise_for_status()
        (worker,) = service.parts("serving.worker")
        spent = (worker.cpu_times(), psutil.Process(service.process.pid).cpu_times())
        assert sum(times.user + times.system for times in spent) < 3
        assert worker.memory_full_info().pss < 150 * 2**20
        mapped = {part for found in worker.memory_maps() for part in Path(found.path).parts}
        assert mapped & HEAVY == set()
        assert "onnxruntime" in mapped
        champion = service.known().champion
        assert champion
    package = service.cache.version_folder(champion.digest)
    assert imported(package) & HEAVY == set()


def imported(package: Path) -> set[str]:
    """What a process has imported that has a worker's modules and loads and asks a version."""
    code = (
        "import sys, pathlib, serving.worker as w, serving.scoring.version as m;"
        "m.check_golden(m.load_version(pathlib.Path(sys.argv[1]), 'small', '1'));"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(package)],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())
