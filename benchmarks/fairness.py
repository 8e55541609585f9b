"""One-row requests beside callers of 10,000 rows: what each costs the other, on one worker.

Asks for a champion of flights in the tracking store (make run); its tables are left alone, answers
go into a folder that is gone afterwards. Four connections of one row are measured alone, beside 2
and beside 10 large callers, and these alone and beside the four, in turns, with the log off and
with `fsync`. Prints Markdown, for docs/benchmarks.md. `--other` names another checkout, which is
measured in the same turns. Needs wrk (Debian).
"""

import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer

from benchmarks.peers import PROJECT, Server, started, until_shipped
from benchmarks.serving import Case, Found, ask, bodies

SYNCS = ("off", "fsync")
SMALL, LARGE_ROWS = Case(1, 4), 10_000
CALLERS = (0, 2, 10)
AHEAD_S = 1  # whoever is not measured begins earlier, and ends later


@dataclass(frozen=True)
class Measured:
    """What one turn has found: of the small requests, and rows each second of the large ones."""

    small: Found | None
    large_rows_per_s: float
    busy_elsewhere: float = 0.0  # cores that other work than this took meanwhile


Key = tuple[str, str, int, bool]  # checkout, log, large callers, whether small ones ask too


def service(checkout: Path, sync: str, folder: Path, processes: int) -> Server:
    """One worker of a checkout, which keeps everything in the folder."""
    settings = {
        "PYTHONPATH": str(checkout),
        "FOURCYCLE_LOG_SYNC": sync,
        "FOURCYCLE_ROOT": str(folder / "data"),
        "FOURCYCLE_SERVE_CACHE": str(folder / "cache"),
        "FOURCYCLE_SERVE_FOLLOW": "alias",  # there is no ledger in the folder
        "FOURCYCLE_SERVE_LARGE_PROCESSES": str(processes),
    }
    command = (sys.executable, "-m", "serving", "--port", "{port}")
    return Server("Fourcycle", command, folder=checkout, settings=settings)


def large(address: str, script: Path, callers: int, seconds: int) -> "subprocess.Popen[str]":
    """So many callers of 10,000 rows, at work."""
    command = ["wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "--timeout", "60s"]
    command += ["-s", str(script), f"{address}/invocations"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def rows_per_s(callers: "subprocess.Popen[str]") -> float:
    """What they were answered each second; a refused request ends the measurement."""
    said = callers.communicate()[0]
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    return float(found[1]) * LARGE_ROWS


def beside_others(measure: Callable[[], Measured]) -> Measured:
    """What is measured, and how much other work shared the cores."""

    def busy() -> tuple[float, float]:
        of_all = psutil.cpu_times()
        own = [psutil.Process(), *psutil.Process().children(recursive=True)]
        ours = sum(sum(process.cpu_times()[:4]) for process in own)
        return sum(of_all) - of_all.idle - of_all.iowait, ours

    began, all_before, ours_before = time.monotonic(), *busy()
    found = measure()
    all_after, ours_after = busy()
    others = (all_after - all_before) - (ours_after - ours_before)
    return replace(found, busy_elsewhere=others / (time.monotonic() - began))


def turn(
    address: str, scripts: dict[int, Path], callers: int, small: bool, seconds: int
) -> Measured:
    """One measurement of some seconds."""
    if not callers:
        return Measured(ask(address, scripts[1], SMALL, seconds), 0)
    if not small:
        return Measured(None, rows_per_s(large(address, scripts[LARGE_ROWS], callers, seconds)))
    whole = seconds + 2 * AHEAD_S
    beside = large(address, scripts[LARGE_ROWS], callers, whole)
    time.sleep(AHEAD_S)
    found = ask(address, scripts[1], SMALL, seconds)
    rows_per_s(beside)
    with ThreadPoolExecutor(1) as pool:
        small_ones = pool.submit(ask, address, scripts[1], SMALL, whole)
        time.sleep(AHEAD_S)
        rows = rows_per_s(large(address, scripts[LARGE_ROWS], callers, seconds))
        small_ones.result()
    return Measured(found, rows)


def turns(
    checkouts: dict[str, Path], rounds: int, seconds: int, processes: int
) -> Iterator[tuple[Key, Measured]]:
    """All measurements, interleaved."""
    with tempfile.TemporaryDirectory() as name:
        scripts = bodies(Path(name))
        for _ in range(rounds):
            for sync in SYNCS:
                for which, checkout in checkouts.items():
                    with (
                        tempfile.TemporaryDirectory() as folder,
                        started(service(checkout, sync, Path(folder), processes)) as address,
                    ):
                        for callers in CALLERS:  # warm
                            turn(address, scripts, callers, callers == 0, 2)
                        for callers in CALLERS:
                            for small in (True, False) if callers else (True,):
                                until_shipped(address)
                                found = beside_others(
                                    partial(turn, address, scripts, callers, small, seconds)
                                )
                                yield (which, sync, callers, small), found


def table(measured: dict[Key, list[Measured]]) -> str:
    """Markdown: medians, and how many times those of the same round alone."""
    lines = [
        "| service | log | callers of 10,000 rows | one row: requests/s | p50 ms | p99 ms | p50 of "
        "alone | p99 of alone | large: rows/s | of alone | other work, cores |",
        "|" + "---|" * 11,
    ]
    for (which, sync, callers, small), found in measured.items():
        if not small:
            continue
        mine = _small(found)
        times = _small(found, _of_small(measured[which, sync, 0, True]))
        cells = [which, sync, callers or "none", f"{mine.per_s:,.0f}", f"{mine.p50_ms:.2f}"]
        cells += [f"{mine.p99_ms:.1f}", f"{times.p50_ms:.1f}", f"{times.p99_ms:.1f}", "", ""]
        if callers:
            rows = [one.large_rows_per_s for one in found]
            alone = [one.large_rows_per_s for one in measured[which, sync, callers, False]]
            share = median(map(truediv, rows, alone))
            cells[-2:] = [f"{median(rows):,.0f}", f"{share:.2f} of {median(alone):,.0f}"]
        cells.append(f"{median(one.busy_elsewhere for one in found):.1f}")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _of_small(found: list[Measured]) -> list[Found]:
    return [one.small for one in found if one.small]


def _small(found: list[Measured], alone: list[Found] | None = None) -> Found:
    """Medians of what small requests had, or of how many times what they had alone that was."""
    small = _of_small(found)
    parts = alone or [Found(1, 1, 1, 0)] * len(small)
    return Found(
        median(one.per_s / part.per_s for one, part in zip(small, parts, strict=True)),
        median(one.p50_ms / part.p50_ms for one, part in zip(small, parts, strict=True)),
        median(one.p99_ms / part.p99_ms for one, part in zip(small, parts, strict=True)),
        sum(one.failed for one in small),
    )


def main(
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 5,
    seconds: Annotated[int, typer.Option(help="Seconds of each measurement.")] = 5,
    other: Annotated[str, typer.Option(help="Another checkout, measured in turns; or none.")] = "",
    processes: Annotated[
        int, typer.Option(help="Processes for large bodies; 0: one less than cores.")
    ] = 0,
) -> None:
    """Measure, and print a Markdown table."""
    checkouts = {"other": Path(other).resolve()} if other else {}
    checkouts["this"] = PROJECT
    measured: dict[Key, list[Measured]] = defaultdict(list)
    for key, found in turns(checkouts, rounds, seconds, processes):
        measured[key].append(found)
        typer.echo(f"{key}: {found}", err=True)
    typer.echo(table(measured))


if __name__ == "__main__":
    typer.run(main)
