"""The package of a registered version, as the service would hold it: loaded, scored and timed."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from contract.errors import Refused
from contract.names import SCORER_DIR, USE_CASE_FILE
from contract.package import MANIFEST_FILE
from contract.statistics.metrics import Scored, metric_values
from contract.store.frames import plain_values
from contract.use_case.model import UseCase
from pipelines.model.fitted import answers, labels, weights
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version
from pipelines.release.gate_evidence import Latency
from pipelines.runtime.workspace import Workspace
from serving.scoring.scorer import GRAPH_FILE, Scorer
from serving.scoring.sklearn_scorer import MODEL_FILE
from serving.scoring.version import ServedVersion, load_version

LATENCY_CALLS = 1000
LATENCY_WARM_UP = 20
LATENCY_LONGEST_S = 2.0


@dataclass(frozen=True)
class LoadedPackage:
    """A version as the service would hold it, and the size of what it reads."""

    served: ServedVersion
    size_mb: float


@dataclass(frozen=True)
class MeasuredPackage:
    """A challenger's answers on its holdout and what they are worth; `case` is its own copy of the
    use case under today's gates and evaluation."""

    case: UseCase
    scored: Scored
    figures: dict[str, float]
    latency: Latency


def load(workspace: Workspace, version: Version) -> LoadedPackage:
    """The registered package, verified and loaded as the service does; Refused if it is another."""
    with tempfile.TemporaryDirectory() as target:
        folder = fetch(version, Path(target))
        served = load_version(
            folder, workspace.model_name, version.version, code=workspace.code_folder
        )
        size = sum(path.stat().st_size for path in served_files(folder))
    return LoadedPackage(served, size / 1e6)


def served_files(folder: Path) -> list[Path]:
    """Files of a package that the service reads: the compiled scorer, or the pipeline for want of
    one, and what says how to ask it."""
    scorer = [path for path in (folder / SCORER_DIR).rglob("*") if path.is_file()]
    asked = [folder / USE_CASE_FILE, folder / MANIFEST_FILE]
    compiled = (folder / SCORER_DIR / GRAPH_FILE).is_file()
    return [*scorer, *asked] if compiled else [*scorer, *asked, folder / MODEL_FILE]


def measure(workspace: Workspace, served: ServedVersion, rows: pa.Table) -> MeasuredPackage:
    """Score the holdout and time the scorer."""
    policy = {"gates": workspace.use_case.gates, "evaluation": workspace.use_case.evaluation}
    case = served.use_case.model_copy(update=policy)
    check_columns(served.scorer, rows)
    # Champion and challenger are weighed alike; a holdout from before the weights has none.
    known = workspace.use_case.weight in rows.column_names
    weight = weights(rows, workspace.use_case) if known else None
    scored = answers(served.scorer, rows, labels(rows, case), weight)
    return MeasuredPackage(case, scored, metric_values(case, scored), latency(served.scorer, rows))


def check_columns(scorer: Scorer, rows: pa.Table) -> None:
    """Refused where the rows lack a column that the scorer reads."""
    if missing := [name for name in scorer.features if name not in rows.column_names]:
        raise Refused(f"the holdout has no column {', '.join(missing)}")


def latency(scorer: Scorer, rows: pa.Table) -> Latency:
    """Times of one-row scores after a warm-up: a thousand calls, or two seconds of them.

    Of plain lists, as a request is answered.
    """
    few = rows.slice(0, LATENCY_CALLS)
    columns, n_rows = {n: plain_values(few.column(n)) for n in scorer.features}, few.num_rows
    times: list[int] = []
    started = time.perf_counter()
    for call in range(-LATENCY_WARM_UP, LATENCY_CALLS):
        row = {name: [values[call % n_rows]] for name, values in columns.items()}
        before = time.perf_counter_ns()
        scorer.score(row)
        if call >= 0:
            times.append(time.perf_counter_ns() - before)
            if time.perf_counter() - started > LATENCY_LONGEST_S:
                break
    median, p99 = np.quantile(times, [0.5, 0.99]) / 1e6
    return Latency(len(times), float(median), float(p99))
