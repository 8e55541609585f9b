"""A file of a million rows from Parquet to Parquet: `fourcycle score` beside plain `mlflow.pyfunc`.

Runs where a pipeline of flights has run (`make train`). Each measurement is a process of its own,
the ways alternate, and medians are printed as Markdown for docs/benchmarks.md.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

# As a person would write it: times as texts, which MLflow's signature asks for, and all at once.
PYFUNC = """
import sys, mlflow, pandas as pd
rows = pd.read_parquet(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/flights@champion")
inputs = model.metadata.signature.inputs
asked = rows[inputs.input_names()].copy()
for column in inputs.inputs:
    if str(column.type) == "DataType.string":
        asked[column.name] = asked[column.name].astype(str)
    else:
        asked[column.name] = asked[column.name].astype(float)
answers = rows[["flight_id"]].assign(prediction=model.predict(asked))
answers.to_parquet(sys.argv[2])
"""


def make(rows: int, target: Path, group_rows: int = 1 << 20) -> None:
    """The use case's rows, over and over, without their target, so many in a row group."""
    import pyarrow.parquet as pq

    from contract.settings import read_settings
    from contract.store.tables import Tables
    from contract.use_case.loader import load_use_case

    case, tables = load_use_case("flights"), Tables(read_settings().table_root, "flights")
    wanted = list(dict.fromkeys((*case.keys, *case.inputs)))
    known = tables.read("raw", columns=wanted)
    with pq.ParquetWriter(target, known.schema) as file:
        for at in range(0, rows, known.num_rows):
            some = known.slice(0, min(known.num_rows, rows - at)).combine_chunks()
            file.write_table(some, group_rows)


def measured(command: list[str]) -> tuple[float, float, float]:
    """CPU seconds (user and system), wall seconds and peak memory in MiB of a process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:200]}\n{said.decode()[-2000:]}")
    seconds = time.perf_counter() - started
    return used.ru_utime + used.ru_stime, seconds, used.ru_maxrss / 1024


def main(
    rows: Annotated[int, typer.Option(help="Rows of the file.")] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Rounds of each measurement.")] = 3,
    pyfunc: Annotated[bool, typer.Option(help="Measure mlflow.pyfunc, too.")] = True,
) -> None:
    """Measure, and print a Markdown table."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "rows.parquet"), Path(folder, "answers.parquet")
        make(rows, source)
        ours = [sys.executable, "-m", "pipelines.score", "--use-case", "flights"]
        ours += ["--source", str(source), "--target", str(target), "--threads"]
        ways = {"one thread": [*ours, "1"], "two threads": [*ours, "2"]}
        if pyfunc:
            ways["mlflow.pyfunc"] = [sys.executable, "-c", PYFUNC, str(source), str(target)]
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, command in ways.items():
                target.unlink(missing_ok=True)
                found[name].append(measured(command))
    typer.echo("| way | CPU s | of one thread | wall s | of one thread | peak MiB | CPU a row |")
    typer.echo("|---|---|---|---|---|---|---|")
    medians = {
        name: [statistics.median(values) for values in zip(*seen, strict=True)]
        for name, seen in found.items()
    }
    first = medians["one thread"]
    for name, (cpu, wall, peak) in medians.items():
        typer.echo(
            f"| {name} | {cpu:.1f} | {cpu / first[0]:.2f} | {wall:.1f} | {wall / first[1]:.2f} | "
            f"{peak:.0f} | {cpu / rows * 1e6:.1f} µs |"
        )


if __name__ == "__main__":
    typer.run(main)
