"""Soak: the service under load for minutes, with promotions; nothing of it may grow.

`make soak`, or `python -m benchmarks.soak --seconds 60`; `--python` names the interpreter of
another environment, such as one with the image's packages, whose service asks an `mlflow server` as
containers do. Penguins in a folder of its own, two versions promoted in turn. Memory (proportional
set size), open files and threads of each process are sampled; medians of the last quarter are
printed, and compared with those of the second one. Exit code 1 when something grew or a request
failed.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import httpx
import psutil
import typer

from benchmarks.peers import free_port
from contract.names import CHAMPION

PROJECT = Path(__file__).resolve().parent.parent
CLIENTS = 4
SAMPLE_S = 1.0
PROMOTE_S = 5.0
READY_S = 60.0
ROW = {
    "island": "Biscoe",
    "bill_length_mm": 45.2,
    "bill_depth_mm": 14.0,
    "flipper_length_mm": 210.0,
    "body_mass_g": 5000.0,
    "sex": None,
}


@dataclass(frozen=True)
class Size:
    """What a process holds."""

    pss_mib: float
    files: float
    threads: float


EACH = ("serving.worker", "serving.log.writer")  # there are several
MAX_GROWTH = Size(pss_mib=16, files=8, threads=2)
# deltalake reads the log since the last check point at once, a thread and a file for each commit.
SHIPPER_MAX_GROWTH = Size(pss_mib=32, files=16, threads=8)


def size_of(process: psutil.Process) -> Size:
    pss = process.memory_full_info().pss / 2**20
    return Size(pss, process.num_fds(), process.num_threads())


def parts(supervisor: psutil.Process) -> dict[str, psutil.Process]:
    """The processes of a service by name; workers and their writers are numbered."""
    found = {"supervisor": supervisor}
    for child in supervisor.children(recursive=True):
        try:
            name = next(word for word in child.cmdline() if word.startswith("serving."))
        except (psutil.NoSuchProcess, StopIteration):  # it has ended
            continue
        if name == "serving.check":  # it ends when a version is checked
            continue
        number = sum(known.startswith(name) for known in found)
        found[f"{name} {number + 1}" if name in EACH else name] = child
    return found


@contextmanager
def service(folder: Path, port: int, python: str, uri: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Two workers, quick to follow."""
    settings = {"FOURCYCLE_SERVE_WORKERS": "2", "FOURCYCLE_SERVE_POLL_S": "1"}
    settings |= {"FOURCYCLE_SERVE_FOLLOW": "alias"}  # which goes to and fro without a gate
    settings |= {"MLFLOW_TRACKING_URI": uri}
    command = [python, "-m", "serving", "--use-case", "penguins", "--port", str(port)]
    with started(command, folder, settings, f"http://127.0.0.1:{port}/ping") as process:
        yield process


@contextmanager
def tracking_server(folder: Path, uri: str) -> Iterator[str]:
    """The address of an `mlflow server` over a store."""
    address = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--workers", "1"]
    with started(command, folder, {}, f"{address}/health"):
        yield address


@contextmanager
def started(
    command: list[str], folder: Path, settings: dict[str, str], health: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that answers at an address, to be stopped in order."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + READY_S
        while not answers(health) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def load(port: int, seen: "Counter[str]") -> Iterator[None]:
    """Clients that ask until the end of the block; counts statuses and versions."""
    stop = threading.Event()

    def ask(n_rows: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while not stop.wait(0.002):
                answer = client.post("/predict", json={"rows": [ROW] * n_rows})
                seen[f"status {answer.status_code}"] += 1
                seen[f"version {answer.headers.get('X-Model-Version')}"] += 1

    threads = [threading.Thread(target=ask, args=(10**n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def promotions(uri: str) -> Iterator[None]:
    """The alias goes to and fro between two versions."""
    from mlflow import MlflowClient

    client, stop = MlflowClient(uri, uri), threading.Event()
    first = client.get_model_version("penguins", "1")
    assert first.source
    client.create_model_version("penguins", first.source, tags=first.tags)

    def promote() -> None:
        turn = 0
        while not stop.wait(PROMOTE_S):
            turn += 1
            client.set_registered_model_alias("penguins", CHAMPION, str(1 + turn % 2))

    thread = threading.Thread(target=promote)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def last_and_growth(samples: list[Size]) -> tuple[Size, Size]:
    """Medians of the last quarter, and how much more that is than those of the second."""
    quarter = len(samples) // 4
    before, after = _medians(samples[quarter : 2 * quarter]), _medians(samples[-quarter:])
    growth = (late - early for early, late in zip(before, after, strict=True))
    return Size(*after), Size(*growth)


def _medians(samples: list[Size]) -> list[float]:
    return [median(values) for values in zip(*map(astuple, samples), strict=True)]


def report(samples: dict[str, list[Size]]) -> bool:
    """Print a table; whether nothing grew more than it may."""
    print("| process | PSS, MiB | growth | open files | growth | threads | growth |")
    print("|---|---|---|---|---|---|---|")
    flat = True
    for name, sizes in samples.items():
        last, growth = last_and_growth(sizes)
        pairs = zip(astuple(last), astuple(growth), strict=True)
        print(f"| {name} |", " | ".join(f"{now:.0f} | {more:+.1f}" for now, more in pairs), "|")
        most = SHIPPER_MAX_GROWTH if name == "serving.shipper" else MAX_GROWTH
        limits = zip(astuple(growth), astuple(most), strict=True)
        flat = flat and all(more <= limit for more, limit in limits)
    return flat


def main(
    seconds: Annotated[int, typer.Option(help="How long.", min=20, max=86_400)] = 600,
    python: Annotated[str, typer.Option(help="Interpreter of the service.")] = sys.executable,
) -> None:
    """Keep a service under load and see whether it grows."""
    seen: Counter[str] = Counter()
    samples: dict[str, list[Size]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        uri = f"sqlite:///{folder}/mlflow.db"
        os.environ |= {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(PROJECT)}
        train = [sys.executable, "-m", "pipelines.main", "--use-case", "penguins"]
        subprocess.run(train, cwd=folder, check=True, capture_output=True)
        apart = python != sys.executable  # the image's packages have no sqlite store
        asked = stack.enter_context(tracking_server(folder, uri)) if apart else uri
        process = stack.enter_context(service(folder, port, python, asked))
        stack.enter_context(promotions(uri))
        stack.enter_context(load(port, seen))
        supervisor, end = psutil.Process(process.pid), time.monotonic() + seconds
        while time.monotonic() < end:
            for part, found in parts(supervisor).items():
                samples[part].append(size_of(found))
            time.sleep(SAMPLE_S)
    flat = report(samples)
    print(f"{seconds} s:", ", ".join(f"{what}: {times}" for what, times in sorted(seen.items())))
    failed = {what for what in seen if what.startswith("status")} - {"status 200"}
    sys.exit(0 if flat and not failed else 1)


if __name__ == "__main__":
    typer.run(main)
