"""Time and memory of each step on made tables: many rows, many columns, many classes.

`make tables` (FOURCYCLE_TABLES=full) measures 2 million rows of 30 columns as Parquet and as CSV, a
quarter of them, 300 columns and 60 classes; without that the same tables are small. Each step is a
process of its own in a folder of its own. Prints Markdown, for docs/benchmarks.md, and writes JSON
where `--json` names a file.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

PROJECT = Path(__file__).resolve().parent.parent
STEPS = (
    "ingest",
    "validate",
    "split",
    "train",
    "evaluate",
    "package",
    "register",
    "gate",
    "promote",
)
FULL = os.environ.get("FOURCYCLE_TABLES") == "full"

# In a process of its own: what the kernel calls the peak of a step begins with that of its parent.
MAKE = """
import sys
import numpy as np, pyarrow as pa, pyarrow.csv, pyarrow.parquet
n_rows, n_columns, n_classes = map(int, sys.argv[1:4])
path = sys.argv[4]
random = np.random.default_rng(0)
columns, score, codes = {"id": pa.array(np.arange(n_rows))}, np.zeros(n_rows), []
for i in range(n_columns):
    if i % 3 == 2:
        code = random.integers(0, 5 + i, n_rows)
        codes.append(code)
        words = pa.array([f"word {k}" for k in range(5 + i)])
        columns[f"c{i}"] = pa.DictionaryArray.from_arrays(pa.array(code), words).cast(pa.string())
        score += (code % 3 - 1) * (i < 9)
    else:
        value = random.normal(size=n_rows)
        score += value * (i < 9)
        missing = random.random(n_rows) < 0.02
        columns[f"c{i}"] = pa.array(value, mask=missing)
if n_classes == 2:
    kinds = (score + random.normal(size=n_rows) > 0).astype(int)
else:
    kinds = (codes[0] + 7 * codes[1]) % n_classes
    kinds = np.where(random.random(n_rows) < 0.1, random.integers(0, n_classes, n_rows), kinds)
columns["kind"] = pa.array([f"kind {k}" for k in range(n_classes)]).take(pa.array(kinds))
table = pa.table(columns)
write = pa.csv.write_csv if path.endswith(".csv") else pa.parquet.write_table
write(table, path)
"""

USE_CASE = """
name: made
title: Made table
task: {task}
source: {{{kind}: rows.{kind}}}
keys: [id]
target: kind
columns:
  id: {{type: integer}}
  kind: {{type: string}}
{columns}
split: {{by: random}}
estimator:
  path: sklearn.ensemble.HistGradientBoostingClassifier
  parameters: {{max_iter: 20, early_stopping: false}}
evaluation: {{metric: {metric}}}
gates: {{minimum: {{accuracy: {accuracy}}}, min_class_rows: 1, max_latency_ms: 1000}}
"""


@dataclass(frozen=True)
class TableCase:
    """A made table: its size and its file."""

    name: str
    rows: int
    columns: int
    classes: int
    kind: str


@dataclass(frozen=True)
class Measured:
    """What one step cost: seconds, and the most memory that it or a child of its held, GiB."""

    wall_s: float
    cpu_s: float
    peak_gib: float


def run(folder: Path, *arguments: str) -> Measured:
    """Run our Python in a folder and ask the kernel what it cost."""
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "FOURCYCLE_"))
    }
    environment |= {"PYTHONPATH": str(PROJECT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=environment, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        if process.returncode:
            said.seek(0)
            told = said.read()[-2000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(arguments)[:80]} failed:\n{told}")
    return Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20)


def write_use_case(case: TableCase, folder: Path) -> None:
    """The declaration of a made table."""
    columns = "\n".join(
        f"  c{i}: {{type: {'string' if i % 3 == 2 else 'number'}, nullable: true}}"
        for i in range(case.columns)
    )
    binary = case.classes == 2
    text = USE_CASE.format(
        task="binary" if binary else "multiclass",
        metric="roc_auc" if binary else "log_loss",
        accuracy=0.6 if binary else 2 / case.classes,
        kind=case.kind,
        columns=columns,
    )
    (folder / "made.yaml").write_text(text, encoding="utf-8")


def measure(case: TableCase) -> Iterator[tuple[str, Measured]]:
    """Every step of a pipeline over a made table, as it ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_use_case(case, folder)
        sizes = map(str, (case.rows, case.columns, case.classes))
        run(folder, "-c", MAKE, *sizes, f"rows.{case.kind}")
        for step in STEPS:
            cost = run(folder, "-m", f"pipelines.{step}", "--use-case", "made.yaml")
            print(f"{case.name}: {step} {cost.wall_s:.1f} s", file=sys.stderr)
            yield step, cost


def tables(rows: int, other_rows: int) -> list[TableCase]:
    """The tables that are measured."""
    return [
        TableCase("a quarter of the rows, Parquet", rows // 4, 30, 2, "parquet"),
        TableCase("Parquet", rows, 30, 2, "parquet"),
        TableCase("CSV", rows, 30, 2, "csv"),
        TableCase("300 columns", other_rows, 300, 2, "parquet"),
        TableCase("60 classes", other_rows, 30, 60, "parquet"),
    ]


def show(case: TableCase, found: dict[str, Measured], quarter: dict[str, Measured]) -> None:
    """One table of Markdown; beside a quarter of its rows where that was measured."""
    grown = ["times a quarter's"] if quarter else []
    shape = f"{case.rows:,} rows, {case.columns} columns, {case.classes} classes"
    print(f"\n{case.name}: {shape}\n")
    print("|", " | ".join(["step", "seconds", "CPU seconds", "peak GiB", *grown]), "|")
    print("|" + "---|" * (4 + len(grown)))
    for step, cost in found.items():
        cells = [step, f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{cost.peak_gib:.2f}"]
        cells += [f"{cost.cpu_s / quarter[step].cpu_s:.1f}"] if quarter else []
        print("|", " | ".join(cells), "|", flush=True)


def main(
    rows: Annotated[int, typer.Option(help="Rows of the large tables.")] = (
        2_000_000 if FULL else 20_000
    ),
    other_rows: Annotated[int, typer.Option(help="Rows of 300 columns, of 60 classes.")] = (
        200_000 if FULL else 5_000
    ),
    only: Annotated[str, typer.Option(help="Names of tables that begin so; empty: all.")] = "",
    json_file: Annotated[str, typer.Option("--json", help="Where the figures go, too.")] = "",
) -> None:
    """Measure, and print Markdown tables."""
    figures: dict[str, dict[str, Measured]] = {}
    for case in tables(rows, other_rows):
        if case.name.lower().startswith(only.lower()):
            figures[case.name] = dict(measure(case))
            quarter = figures.get("a quarter of the rows, Parquet", {})
            show(case, figures[case.name], quarter if case.name == "Parquet" else {})
    if json_file:
        plain = {
            name: {step: asdict(cost) for step, cost in found.items()}
            for name, found in figures.items()
        }
        Path(json_file).write_text(json.dumps(plain, indent=1), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
