"""What the durable log costs, whether the shipper keeps up, and a day's window of a large table.

The service of a small `flights` model with one worker answers wrk's requests with the log off, in
the kernel (`os`) and on the disk (`fsync`); medians of interleaved rounds. Prints Markdown, for
docs/benchmarks.md. Needs wrk (Debian).
"""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pyarrow as pa
import typer

from contract.settings import Settings
from contract.store.predictions import PARTITION
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from contract.use_case.model import UseCase
from pipelines.replaying.service_process import free_port, request_rows
from serving.log.prediction_record import PredictionRecord
from serving.log.record import RecordSchema, encode
from serving.log.segment_frames import FrameKind
from serving.log.spool import Spool, SpoolEntry
from serving.shipping.prediction_rows import prediction_rows
from serving.shipping.shipper import Shipper

PROJECT = Path(__file__).resolve().parent.parent
SYNCS = ("off", "os", "fsync")
FIRST_DAY = date(2024, 1, 1)
SCRIPT = 'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'

WINDOW = """
import json, re, sys, time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case
from monitoring.windows.rows import WindowReader
from monitoring.windows.window import WindowRequest, resolve
tables, use_case = Tables(sys.argv[1], "flights"), load_use_case("flights")
day = date.fromisoformat(sys.argv[2])
def read(version):
    window = resolve(
        WindowRequest(day, day + timedelta(days=1)), tables, use_case, datetime.now(UTC)
    )
    return list(WindowReader(tables, use_case, window, version).stream(list(use_case.features), 1))
def peak():  # getrusage starts from the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
read("none")
before, started = peak(), time.perf_counter()
rows = sum(part.num_rows for part in read("1"))
seconds = time.perf_counter() - started
grown = peak() - before
print(json.dumps([rows, seconds, grown]))
"""


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """A process of ours that works in a folder."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "FOURCYCLE_"))}
    ours = {f"FOURCYCLE_{name.upper()}": value for name, value in settings.items()}
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "PYTHONPATH": str(PROJECT)}
    return clean | store | ours


@contextmanager
def service(folder: Path, sync: str) -> Iterator[str]:
    """One worker with a log of that durability."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "serving", "--use-case", "flights", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environment(folder, log_sync=sync), stderr=subprocess.DEVNULL
    )
    try:
        client = httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=30)
        while client.get(f"{address}/ping").status_code != httpx.codes.OK:
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def load(address: str, script: Path, connections: int, seconds: int) -> tuple[float, float]:
    """Requests each second, and the median latency in ms; a failed request ends the measurement."""
    options = ["-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency"]
    command = ["wrk", *options, "-s", str(script), f"{address}/predict"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)\b", said)
    if rate is None or median is None:
        raise SystemExit(said)
    return float(rate[1]), float(median[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[median[2]]


def scripts(folder: Path) -> dict[int, Path]:
    """wrk's requests of 1 and of 100 rows."""
    use_case = load_use_case("flights")
    holdout = Tables(str(folder / "data"), "flights").read("holdout").slice(0, 100)
    rows = request_rows(holdout, use_case)
    found = {}
    for n_rows in (1, 100):
        found[n_rows] = folder / f"{n_rows}.lua"
        body = json.dumps({"rows": rows[:n_rows]})
        found[n_rows].write_text(f"{SCRIPT}wrk.body = [==[{body}]==]\n", encoding="utf-8")
    return found


def serving(folder: Path, rounds: int, seconds: int) -> float:
    """Print the cost of the log; one-row requests each second with `fsync` at 64 connections."""
    bodies = scripts(folder)
    loads = ((1, 1), (1, 8), (1, 64), (100, 8))
    measured: dict[tuple[str, int, int], list[tuple[float, float]]] = defaultdict(list)
    for _ in range(rounds):
        for sync in SYNCS:
            with service(folder, sync) as address:
                for n_rows, connections in loads:
                    load(address, bodies[n_rows], connections, 1)  # warm
                    found = load(address, bodies[n_rows], connections, seconds)
                    measured[sync, n_rows, connections].append(found)
    typer.echo(
        "| rows | connections | log | requests/s | of `off` | p50 ms |\n|---|---|---|---|---|---|"
    )
    for n_rows, connections in loads:
        off = statistics.median(rate for rate, _ in measured["off", n_rows, connections])
        for sync in SYNCS:
            rates, medians = zip(*measured[sync, n_rows, connections], strict=True)
            rate, p50 = statistics.median(rates), statistics.median(medians)
            facts = (n_rows, connections, sync, f"{rate:,.0f}", f"{rate / off:.2f}", f"{p50:.2f}")
            typer.echo(f"| {' | '.join(map(str, facts))} |")
    return statistics.median(rate for rate, _ in measured["fsync", 1, 64])


def answered(use_case: UseCase, features: dict[str, list[Any]], number: int) -> PredictionRecord:
    """An answer of the rows in `features`."""
    n_rows = len(next(iter(features.values())))
    return PredictionRecord(
        request_id=f"01890000-0000-7000-8000-{number:012d}",
        model=use_case.name,
        version="1",
        schema_hash=RecordSchema.of(use_case).schema_hash,
        features=features,
        keys={"flight_id": [f"UA{number}"] * n_rows},
        event_time=[None] * n_rows,
        prediction=[False] * n_rows,
        probability=[[0.8, 0.2]] * n_rows,
        flags=[[]] * n_rows,
        latency_ms=0.3,
        logged_time=datetime.combine(FIRST_DAY, datetime.min.time(), UTC),
        key_id=None,
    )


def features_of(folder: Path, use_case: UseCase, n_rows: int) -> dict[str, list[Any]]:
    """Real inputs, repeated to the number of rows."""
    rows = Tables(str(folder / "data"), "flights").read("holdout", columns=use_case.inputs)
    repeated = pa.concat_tables([rows] * (n_rows // rows.num_rows + 1)).slice(0, n_rows)
    found: dict[str, list[Any]] = repeated.to_pydict()
    return found


def shipping(folder: Path, n_rows: int, one_worker: float) -> None:
    """Print how fast one-row records reach a table, beside what one worker writes."""
    use_case, settings = load_use_case("flights"), Settings()
    spool = Spool(folder / "spool", settings.log_segment_bytes, settings.log_segment_s)
    schema = RecordSchema.of(use_case)
    spool.describe(schema.schema_hash, encode(schema))
    row = features_of(folder, use_case, 1)
    for number in range(n_rows):
        record = answered(use_case, row, number)
        spool.write(
            [SpoolEntry(FrameKind.PREDICTIONS, record.schema_hash, 1, encode(record))], sync=False
        )
    spool.close()
    shipper = Shipper(folder / "spool", Tables(str(folder / "shipped"), "flights"))
    started = time.perf_counter()
    shipper.drain()
    rate = n_rows / (time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    typer.echo("\n| shipper | found |\n|---|---|")
    typer.echo(f"| one-row records each second | {rate:,.0f} |")
    typer.echo(f"| of what one worker answers with `fsync` | {rate / one_worker:.1f} |")
    typer.echo(f"| peak memory, this benchmark included | {peak:,.0f} MiB |")


def window(folder: Path, n_rows: int, n_days: int) -> None:
    """Print time and memory of one day's window of a table of `n_rows` over `n_days`."""
    use_case = load_use_case("flights")
    each = n_rows // n_days
    day_rows = answered(use_case, features_of(folder, use_case, each), 0)
    rows = prediction_rows(RecordSchema.of(use_case), [day_rows])
    tables = Tables(str(folder / "large"), "flights")
    tables.create("predictions", rows.schema, [PARTITION])
    for number in range(n_days):
        moment = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(
            days=number, hours=12
        )
        for name, value in (("event_time", moment), (PARTITION, moment.date())):
            at = rows.schema.get_field_index(name)
            field = rows.schema.field(at)
            rows = rows.set_column(at, field, pa.array([value] * each, field.type))
        tables.intake("predictions").append(rows, {"benchmark": number + 1})
    day = FIRST_DAY + timedelta(days=n_days // 2)
    command = [sys.executable, "-c", WINDOW, str(folder / "large"), day.isoformat()]
    said = subprocess.run(command, env=environment(folder), check=True, stdout=subprocess.PIPE)
    found, seconds, grown = json.loads(said.stdout)
    typer.echo("\n| one day's window | found |\n|---|---|")
    typer.echo(f"| rows of the table, of the day | {each * n_days:,} , {found:,} |")
    typer.echo(f"| seconds | {seconds:.2f} |")
    typer.echo(f"| memory it takes beside the program | {grown:,.0f} MiB |")


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of each serving measurement.")] = 3,
    seconds: Annotated[int, typer.Option(help="Seconds of each.")] = 10,
    shipped_rows: Annotated[int, typer.Option(help="Records for the shipper.")] = 300_000,
    table_rows: Annotated[int, typer.Option(help="Rows of the large table.")] = 10_000_000,
    table_days: Annotated[int, typer.Option(help="Days that they fall on.")] = 50,
) -> None:
    """Measure, and print Markdown tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pipelines.main", "--use-case", "flights"]
        subprocess.run(command, env=environment(folder), check=True, stderr=subprocess.DEVNULL)
        one_worker = serving(folder, rounds, seconds)
        shipping(folder, shipped_rows, one_worker)
        window(folder, table_rows, table_days)


if __name__ == "__main__":
    typer.run(main)
