"""Three times more clients than a worker has places for, who ask again at once.

Asks for a champion of flights in the tracking store (make run). Prints Markdown, for
docs/benchmarks.md. Needs wrk (Debian).
"""

import re
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import httpx
import typer

from benchmarks.peers import here, started
from benchmarks.serving import bodies

PLACES = 4
ROWS = 1_000  # some 120 kB: too many for the event loop, too few for a process of their own
PROBES_PER_S = 10


def crowd(address: str, script: Path, clients: int, seconds: int) -> "subprocess.Popen[str]":
    """So many clients for some seconds, each with one request after the other."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(script), address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answered(clients: "subprocess.Popen[str]") -> tuple[int, int]:
    """How many of their requests got 200, and how many another status."""
    said = clients.communicate()[0]
    requests, refused = (re.search(p, said) for p in (r"(\d+) requests in", r"responses: (\d+)"))
    if requests is None:
        raise SystemExit(said)
    others = int(refused[1]) if refused else 0
    return int(requests[1]) - others, others


def refusals(address: str, body: bytes, seconds: int) -> list[float]:
    """Seconds that a refusal takes, by a client who asks now and then meanwhile."""
    found = []
    headers = {"Content-Type": "application/json"}
    with httpx.Client(headers=headers, timeout=30) as client:
        for _ in range(seconds * PROBES_PER_S):
            began = time.monotonic()
            if client.post(address, content=body).status_code != httpx.codes.OK:
                found.append(time.monotonic() - began)
            time.sleep(1 / PROBES_PER_S)
    return found


def main(
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 3,
    seconds: Annotated[int, typer.Option(help="Seconds of each measurement.")] = 4,
) -> None:
    """Measure, and print a Markdown table."""
    ours = here(Path())[0]
    ours.settings["FOURCYCLE_SERVE_CONCURRENCY"] = str(PLACES)
    capacity, overload, refused, took, recovery = [], [], [], [], []
    with tempfile.TemporaryDirectory() as folder, started(ours) as root:
        script, address = bodies(Path(folder), [ROWS])[ROWS], f"{root}/invocations"
        body = (Path(folder) / f"{ROWS}.json").read_bytes()
        answered(crowd(address, script, PLACES, 1))  # warm
        for _ in range(rounds):
            capacity.append(answered(crowd(address, script, PLACES, seconds))[0] / seconds)
            many = crowd(address, script, 3 * PLACES, seconds)
            took += refusals(address, body, seconds - 1)
            good, others = answered(many)
            overload.append(good / seconds)
            refused.append(others / seconds)
            began = time.monotonic()
            while refusals(address, body, 1):
                pass
            recovery.append(time.monotonic() - began - 1)
    fast = sorted(took)[int(0.99 * len(took))] if took else float("nan")
    typer.echo(f"| clients for four places, {ROWS:,} rows in a body | found |\n|---|---|")
    typer.echo(f"| 4 clients: answers each second | {median(capacity):,.0f} |")
    typer.echo(f"| 12 clients: answers each second | {median(overload):,.0f} |")
    typer.echo(f"| of the capacity | {median(overload) / median(capacity):.2f} |")
    typer.echo(f"| 12 clients: refusals each second | {median(refused):,.0f} |")
    times = f"{median(took) * 1000:.0f} ms, {fast * 1000:.0f} ms"
    typer.echo(f"| a refusal takes, p50 and p99 of {len(took)} | {times} |")
    typer.echo(f"| until nobody is refused afterwards, longest | {max(recovery):.1f} s |")


if __name__ == "__main__":
    typer.run(main)
