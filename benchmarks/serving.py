"""Our service beside others: same model, same rows, one worker each, interleaved, medians.

Asks for a champion of flights in the tracking store (make run). Prints Markdown and can write it
into docs/benchmarks.md.
"""

import json
import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import mlflow
import typer

from benchmarks.peers import Server, Skipped, bentoml, here, mlserver, started, until_shipped
from contract.settings import read_settings
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case

BENCHMARKS = Path(__file__).resolve().parent.parent / "docs/benchmarks.md"
HEADING = "## Serving"
SYNC = "FOURCYCLE_LOG_SYNC"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}  # wrk's, in milliseconds
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb"); wrk.body = file:read("*a"); file:close()
"""


@dataclass(frozen=True)
class Case:
    """A body of some rows, asked for over some connections."""

    n_rows: int
    connections: int


@dataclass(frozen=True)
class Found:
    """What wrk says of one round."""

    per_s: float
    p50_ms: float
    p99_ms: float
    failed: int


HOW = """\
Medians of {rounds} interleaved rounds of {seconds} s; one worker each, OMP_NUM_THREADS=1, wrk, the
same rows and model; checks, counts and access log on. `Fourcycle` keeps no answers, as the others;
`Fourcycle, fsync` has each on the disk before it leaves. `python -m benchmarks.serving` measures
again.
"""
CASES = (Case(1, 1), Case(1, 8), Case(1, 64), Case(100, 8), Case(10_000, 2))


def bodies(folder: Path, sizes: Iterable[int] = ()) -> dict[int, Path]:
    """A wrk script for each number of rows, those of CASES by default; rows of the holdout."""
    use_case = load_use_case("flights")
    rows = Tables(read_settings().table_root, "flights").read(
        "holdout", columns=use_case.inputs, order_by=use_case.inputs[:3]
    )
    found = {}
    for n_rows in set(sizes) or {case.n_rows for case in CASES}:
        data = [list(row.values()) for row in rows.slice(0, n_rows).to_pylist()]
        body = folder / f"{n_rows}.json"
        split = {"columns": list(use_case.inputs), "data": data}
        body.write_text(json.dumps({"dataframe_split": split}, default=datetime.isoformat))
        found[n_rows] = folder / f"{n_rows}.lua"
        found[n_rows].write_text(SCRIPT.format(body=body))
    return found


def ask(address: str, script: Path, case: Case, seconds: int) -> Found:
    """One round of wrk."""
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["--latency", "-s", str(script), f"{address}/invocations"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    per_s = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert per_s
    return Found(float(per_s[1]), _ms(said, 50), _ms(said, 99), int(failed[1]) if failed else 0)


def _ms(said: str, percentile: int) -> float:
    found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)\b", said)
    return float(found[1]) * UNITS[found[2]] if found else float("nan")


def peers(package: Path, cache: Path, tables: Path) -> list[Server]:
    """All servers that can be had; a line for each that can't."""
    found = here(package, tables)
    for make in (mlserver, bentoml):
        try:
            found.append(make(package, cache))
        except Skipped as why:
            typer.echo(f"{make.__name__} is left out: {why}.", err=True)
    return found


def measure(servers: list[Server], rounds: int, seconds: int) -> dict[Case, dict[str, Found]]:
    """Medians over interleaved rounds, of the servers that become ready."""
    found: dict[Case, dict[str, list[Found]]] = {case: {} for case in CASES}
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        scripts = bodies(Path(folder))
        running: dict[str, str] = {}
        keeping = {one.name for one in servers if one.settings.get(SYNC) == "fsync"}
        for server in servers:
            try:
                running[server.name] = stack.enter_context(started(server))
            except Skipped as why:
                typer.echo(f"{server.name} is left out: {why}.", err=True)
        for case in CASES:
            for _ in range(rounds):
                for name, address in running.items():
                    round_ = ask(address, scripts[case.n_rows], case, seconds)
                    found[case].setdefault(name, []).append(round_)
                    if name in keeping:  # its shipper works beside who is measured next
                        until_shipped(address)
    return {
        case: {name: _median(rounds_) for name, rounds_ in by_name.items()}
        for case, by_name in found.items()
    }


def _median(rounds: list[Found]) -> Found:
    return Found(
        statistics.median(r.per_s for r in rounds),
        statistics.median(r.p50_ms for r in rounds),
        statistics.median(r.p99_ms for r in rounds),
        sum(r.failed for r in rounds),
    )


def table(found: dict[Case, dict[str, Found]]) -> str:
    """Markdown: a table for each case, with our throughput over everybody's."""
    lines = []
    for case, by_name in found.items():
        rows = "row" if case.n_rows == 1 else "rows"
        lines += [
            f"\n{case.n_rows:,} {rows} in a body, {case.connections} connections:\n",
            "| server | requests/s | rows/s | p50 ms | p99 ms | not 2xx | Fourcycle is |",
            "|---|---|---|---|---|---|---|",
        ]
        ours = by_name["Fourcycle"].per_s
        for name, one in by_name.items():
            times = "" if name == "Fourcycle" else f"{ours / one.per_s:.2f} times"
            lines.append(
                f"| {name} | {one.per_s:,.0f} | {one.per_s * case.n_rows:,.0f} | {one.p50_ms:.2f} "
                f"| {one.p99_ms:.2f} | {one.failed} | {times} |"
            )
    return "\n".join(lines)


def write(section: str) -> None:
    """Replace the section of docs/benchmarks.md."""
    text = BENCHMARKS.read_text(encoding="utf-8")
    before, _, after = text.partition(HEADING)
    kept = re.search(r"^## ", after, re.MULTILINE)
    rest = after[kept.start() :] if kept else ""
    BENCHMARKS.write_text(f"{before.rstrip()}\n\n{section}\n{rest}", encoding="utf-8")


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 5,
    seconds: Annotated[int, typer.Option(help="Seconds of one round.")] = 5,
    write_docs: Annotated[bool, typer.Option(help="Write docs/benchmarks.md.")] = False,
    alone: Annotated[bool, typer.Option(help="Leave MLServer and BentoML out.")] = False,
) -> None:
    """Measure, and print Markdown tables."""
    mlflow.set_tracking_uri(read_settings().store_uri)
    cache = Path.home() / ".cache/fourcycle-benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=cache) as kept,  # on a disk, which /tmp may not be
    ):
        uri = "models:/flights@champion"
        package = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
        tables = Path(kept)
        servers = here(package, tables) if alone else peers(package, cache, tables)
        found = table(measure(servers, rounds, seconds))
    section = f"{HEADING}\n\n{HOW.format(rounds=rounds, seconds=seconds)}\n{found}"
    typer.echo(section)
    if write_docs:
        write(section)


if __name__ == "__main__":
    typer.run(main)
