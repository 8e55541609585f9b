"""How long the service takes to its first answer: from a full cache and from an empty one.

Asks for a champion of flights in the tracking store (make run). Prints Markdown, for
docs/benchmarks.md. With `--other` a checkout of another commit starts in turns with this one;
`--python` names the interpreter of another environment, such as one with the image's packages.
"""

import os
import subprocess
import sys
import tempfile
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.peers import PROJECT, free_port
from benchmarks.serving import bodies
from contract.settings import read_settings

LONGEST_S = 60.0
PAUSE_S = 0.005  # between two tries


def first_answer_s(python: str, project: Path, cache: Path, body: bytes) -> float:
    """Seconds from the start of the service to its first prediction."""
    port, settings = free_port(), read_settings()
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": settings.store_uri,
        "FOURCYCLE_ROOT": settings.table_root,
        "FOURCYCLE_SERVE_CACHE": str(cache),
        "FOURCYCLE_LOG_SPOOL": str(cache / "spool"),
        "FOURCYCLE_SERVE_DRAIN_S": "0",
        "PYTHONPATH": str(project),
    }
    began = time.monotonic()
    process = subprocess.Popen(
        [python, "-m", "serving", "--port", str(port)],
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(port, body):
            if time.monotonic() - began > LONGEST_S or process.poll() is not None:
                raise SystemExit("The service does not answer here.")
            time.sleep(PAUSE_S)
        return time.monotonic() - began
    finally:
        process.terminate()
        process.wait(timeout=LONGEST_S)


def _answers(port: int, body: bytes) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    try:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):  # nobody listens yet
        return False
    finally:
        connection.close()


def main(
    rounds: Annotated[int, typer.Option(help="Starts of each kind.")] = 5,
    other: Annotated[Path | None, typer.Option(help="A checkout of another commit.")] = None,
    python: Annotated[str, typer.Option(help="Interpreter of the service.")] = sys.executable,
) -> None:
    """Measure, and print a Markdown table."""
    projects = {"now": PROJECT} | ({"other": other.resolve()} if other else {})
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        bodies(Path(place))
        body = (Path(place) / "1.json").read_bytes()
        for turn in range(rounds):
            for name, project in projects.items():
                cache = Path(place) / f"{name}-{turn}"
                for kind in ("empty", "full"):
                    took_s = first_answer_s(python, project, cache, body)
                    found.setdefault((name, kind), []).append(took_s)
    typer.echo("| service | cache | first answer, s | slowest of them |\n|---|---|---|---|")
    for (name, kind), times in found.items():
        typer.echo(f"| {name} | {kind} | {median(times):.2f} | {max(times):.2f} |")


if __name__ == "__main__":
    typer.run(main)
