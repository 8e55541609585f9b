"""Time and memory of monitoring: beside plain Evidently on the same rows, and as rows grow.

Every measurement is a process of its own. Rows are real flights, drawn with replacement, as the
service would have logged them. Prints Markdown, for docs/monitoring.md.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer

from benchmarks.pipeline import PROJECT, command
from contract.store.frames import feature_rows
from contract.store.predictions import PARTITION, predictions_schema
from contract.store.schema import TYPES
from contract.store.tables import Tables
from contract.use_case.loader import load_use_case

CHUNK_ROWS = 500_000
FIRST_DAY = np.datetime64("2013-07-01", "us")
DAYS = 31

PLAIN = """
import sys, warnings
import pandas as pd
warnings.filterwarnings("ignore")
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset, DataSummaryPreset
window, reference = (pd.read_parquet(path) for path in sys.argv[1:3])
words = [name for name in window if window[name].dtype == object]
numbers = [name for name in window if name not in words]
definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
sides = [Dataset.from_pandas(rows, data_definition=definition) for rows in (window, reference)]
done = Report([DataDriftPreset(), DataSummaryPreset()]).run(*sides)
open("plain.html", "w").write(done.get_html_str(as_iframe=False))
open("plain.json", "w").write(done.json())
"""


def measured(folder: Path, *arguments: str) -> tuple[float, float]:
    """Run our Python in a folder: wall seconds, and peak memory in GiB."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "FOURCYCLE_"))
    }
    environment |= {"PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    started = time.perf_counter()
    with (folder / "stderr.txt").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((folder / "stderr.txt").read_text()[-2000:])
    return time.perf_counter() - started, usage.ru_maxrss / 2**20


def log_predictions(root: Path, n_rows: int) -> None:
    """Fill `predictions` with n_rows answers of version 1, spread over a month."""
    from use_cases.flights import load

    use_case = load_use_case("flights")
    rows, random = load(), np.random.default_rng(0)
    kinds = {name: use_case.columns[name].type for name in use_case.inputs}
    schema = predictions_schema(kinds, {"flight_id": "string"}, "boolean")
    tables = Tables(str(root), "flights")
    tables.create("predictions", schema, [PARTITION])
    for start in range(0, n_rows, CHUNK_ROWS):
        n = min(CHUNK_ROWS, n_rows - start)
        drawn = rows.iloc[random.integers(0, len(rows), n)]
        inputs = [pa.array(drawn[f], type=TYPES[kinds[f]], from_pandas=True) for f in kinds]
        late = random.beta(2, 6, n)
        # One chunk lies on few days, as the shipper's commits do.
        first = FIRST_DAY + np.timedelta64(DAYS * 86_400 * start // n_rows, "s")
        moment = first + np.arange(n) * np.timedelta64(DAYS * 86_400_000_000 // n_rows, "us")
        columns = {
            "prediction_id": [f"{random.bytes(8).hex()}-{i}" for i in range(start, start + n)],
            "event_time": pa.array(moment).cast(pa.timestamp("us", tz="UTC")),
            PARTITION: pa.array(moment).cast(pa.date32()),
            "version": ["1"] * n,
            "inputs": pa.StructArray.from_arrays(inputs, names=list(kinds)),
            "prediction": late > 0.5,
            "probability": pa.FixedSizeListArray.from_arrays(
                np.column_stack([1 - late, late]).ravel(), 2
            ),
        }
        table = pa.table({f.name: columns.get(f.name, pa.nulls(n, f.type)) for f in schema})
        tables.append("predictions", table.cast(schema))


def frames(folder: Path, root: Path) -> tuple[str, str]:
    """The window and the reference as files, for plain Evidently."""
    use_case = load_use_case("flights")
    inputs = ", ".join(f"t.inputs['{name}'] AS \"{name}\"" for name in use_case.inputs)
    tables = Tables(str(root), "flights")
    rows = tables.query(f"SELECT {inputs} FROM t", t=tables.open("predictions"))
    feature_rows(rows, use_case).to_pandas().to_parquet(folder / "window.parquet")
    reference = next(folder.glob("mlruns/**/model/reference/inputs.parquet"))
    return "window.parquet", str(reference)


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of the comparison.")] = 3,
    rows: Annotated[str, typer.Option(help="Sizes of growing windows.")] = "1000000,10000000",
    beside: Annotated[int, typer.Option(help="Rows beside plain Evidently.")] = 100_000,
) -> None:
    """Measure, and print Markdown tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command(folder, "-m", "pipelines.main", "--sample", "40000")
        ours, plain = [], []
        root = folder / f"rows{beside}"
        log_predictions(root, beside)
        files = frames(folder, root)
        for turn in range(rounds):
            # A window is reported once; another title makes it work again.
            days = ("--from", f"2013-06-{10 + turn}", "--until", "2013-08-02")
            ours.append(measured(folder, "-m", "monitoring", "--root", str(root), *days))
            plain.append(measured(folder, "-c", PLAIN, *files))
        typer.echo("| rows | | seconds | GiB |\n|---|---|---|---|")
        for title, found in (("ours, with Evidently's pages", ours), ("plain Evidently", plain)):
            seconds = statistics.median(s for s, _ in found)
            memory = statistics.median(m for _, m in found)
            typer.echo(f"| {beside:,} | {title} | {seconds:.1f} | {memory:.2f} |")
        ratios = [a / b for (a, _), (b, _) in zip(ours, plain, strict=True)]
        typer.echo(f"| {beside:,} | ours / plain | {statistics.median(ratios):.2f} | |")
        for n_rows in (int(size) for size in rows.split(",") if size):
            root = folder / f"rows{n_rows}"
            log_predictions(root, n_rows)
            days = ("--from", "2013-06-01", "--until", "2013-08-02")
            seconds, memory = measured(folder, "-m", "monitoring", "--root", str(root), *days)
            typer.echo(
                f"| {n_rows:,} | ours, with Evidently's pages | {seconds:.1f} | {memory:.2f} |"
            )


if __name__ == "__main__":
    typer.run(main)
