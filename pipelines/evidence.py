"""Evidence: gather what the gate must know of a version. Measures, and decides nothing.

Everything is measured on the registered package, loaded and scored as the service does, and on the
holdout that the version was registered with. What fails becomes a problem, which is a no.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import mlflow
import numpy as np
import pyarrow as pa
from mlflow import MlflowException

from contract.errors import FourcycleError, Refused, Unavailable
from contract.fingerprint import content_hash, row_hashes
from contract.metrics import Scored
from contract.names import ROW_HASH, SCORER_DIR, USE_CASE_FILE
from contract.tables import Tables
from contract.use_case import UseCase
from pipelines.comparison import Comparison, Groups, compare
from pipelines.compatibility import breaks, incomparable
from pipelines.decision import Champion, Evidence, Latency, NoChampion
from pipelines.evaluate import point
from pipelines.model import labels
from pipelines.registry import Version
from pipelines.step import load_result
from pipelines.validate import STEP as VALIDATE
from pipelines.workspace import Workspace
from serving.fallback import MODEL_FILE
from serving.model import MANIFEST_FILE, ServedVersion, load_version
from serving.scorer import GRAPH_FILE, Columns, Scorer

# Without these nobody can say where a version came from.
LINEAGE = (
    "git_commit",
    "train_run",
    "evaluate_run",
    "package_run",
    "package_digest",
    "training_version",
    "training_hash",
    "holdout_version",
    "holdout_hash",
    "raw_version",
    "raw_hash",
    "lock_hash",
)
LATENCY_CALLS = 1000
LATENCY_WARM_UP = 20
LATENCY_LONGEST_S = 2.0

T = TypeVar("T")


@dataclass
class Attempts:
    """Tries one thing after another; a failure leaves None and a sentence, it stops nothing."""

    problems: list[str] = field(default_factory=list)

    def __call__(self, what: str, work: Callable[[], T]) -> T | None:
        """The work's value; None where it failed."""
        try:
            return work()
        except Unavailable:
            raise  # says nothing about the version: try again later
        except (FourcycleError, MlflowException, OSError, LookupError, ValueError) as error:
            self.problems.append(f"{what}: {error}")
            return None


@dataclass(frozen=True)
class Loaded:
    """A version as the service would hold it, and the size of what it reads."""

    served: ServedVersion
    size_mb: float


@dataclass(frozen=True)
class Measured:
    """A challenger's answers on its holdout and what they are worth; `case` is its own copy of the
    use case under today's gates and evaluation."""

    case: UseCase
    scored: Scored
    figures: dict[str, float]
    latency: Latency


def gather(workspace: Workspace, version: Version, champion: Version | None) -> Evidence:
    """Measure a version, and the champion beside it where there is one."""
    attempt, tables, me = Attempts(), workspace.tables, f"version {version.version}"
    loaded = attempt(f"{me} can't be served", lambda: load(workspace, version))
    rows = attempt(f"the holdout of {me} can't be read", lambda: holdout(tables, version))
    mine = None
    if loaded is not None and rows is not None:
        served = loaded.served
        mine = attempt(f"{me} can't be measured", lambda: measure(workspace, served, rows))
    return Evidence(
        version=version.version,
        missing_tags=tuple(name for name in LINEAGE if not version.tags.get(name)),
        validation=attempt("its validation is not known", lambda: validation(workspace, version)),
        rows=rows.num_rows if rows is not None else None,
        holdout_hash=content_of(rows) if rows is not None else None,
        registered_hash=version.tags.get("holdout_hash"),
        trained_on=_trained_on(attempt, workspace, version, rows),
        figures=mine.figures if mine else None,
        latency=mine.latency if mine else None,
        size_mb=loaded.size_mb if loaded else None,
        opponent=_meet(attempt, workspace, champion, rows, loaded, mine),
        problems=tuple(attempt.problems),
    )


def _meet(
    attempt: Attempts,
    workspace: Workspace,
    champion: Version | None,
    rows: pa.Table | None,
    loaded: Loaded | None,
    mine: Measured | None,
) -> NoChampion | Champion:
    if champion is None:
        return NoChampion()
    name = f"champion version {champion.version}"
    theirs = attempt(f"{name} can't be read", lambda: load(workspace, champion).served)
    broken, comparison, why = None, None, ""
    if theirs is not None and loaded is not None and rows is not None:
        old, new = theirs, loaded.served
        broken = breaks(
            old.use_case, new.use_case, tuple(old.scorer.classes), tuple(new.scorer.classes)
        )
        why = incomparable(old.use_case, new.use_case)
        if mine is not None and not why:
            me = mine
            comparison = attempt(
                f"{name} can't be measured", lambda: _compare(me, old.scorer, rows)
            )
    seen = _trained_on(attempt, workspace, champion, rows)
    return Champion(champion.version, seen, broken, comparison, why)


def load(workspace: Workspace, version: Version) -> Loaded:
    """The registered package, verified and loaded as the service does; Refused if it is another."""
    name = workspace.model_name
    with tempfile.TemporaryDirectory() as target:
        uri = f"models:/{name}/{version.version}"
        folder = Path(mlflow.artifacts.download_artifacts(uri, dst_path=target))
        served = load_version(folder, name, version.version)
        size = sum(path.stat().st_size for path in served_files(folder))
    registered = version.tags.get("package_digest")
    if served.digest != registered:
        raise Refused(f"its package was registered as {registered}, found {served.digest}")
    return Loaded(served, size / 1e6)


def served_files(folder: Path) -> list[Path]:
    """Files of a package that the service reads: the compiled scorer, or the pipeline for want of
    one, and what says how to ask it."""
    scorer = [path for path in (folder / SCORER_DIR).rglob("*") if path.is_file()]
    asked = [folder / USE_CASE_FILE, folder / MANIFEST_FILE]
    compiled = (folder / SCORER_DIR / GRAPH_FILE).is_file()
    return [*scorer, *asked] if compiled else [*scorer, *asked, folder / MODEL_FILE]


def holdout(tables: Tables, version: Version) -> pa.Table:
    """The version's frozen holdout, in an order that depends on its content alone."""
    return tables.read("holdout", int(_tag(version, "holdout_version")), order_by=[ROW_HASH])


def content_of(rows: pa.Table) -> str:
    """The content hash of rows as they are now, whatever their table says of itself."""
    return content_hash(row_hashes(rows.drop_columns([ROW_HASH])))


def measure(workspace: Workspace, served: ServedVersion, rows: pa.Table) -> Measured:
    """Score the holdout and time the scorer."""
    policy = {"gates": workspace.use_case.gates, "evaluation": workspace.use_case.evaluation}
    case = served.use_case.model_copy(update=policy)
    columns = plain(served.scorer, rows)
    scored = answers(served.scorer, columns, labels(rows, case))
    return Measured(case, scored, point(case, scored), latency(served.scorer, columns))


def plain(scorer: Scorer, rows: pa.Table) -> Columns:
    """The scorer's features as plain lists; Refused where the rows lack one."""
    if missing := [name for name in scorer.features if name not in rows.column_names]:
        raise Refused(f"the holdout has no column {', '.join(missing)}")
    return {name: rows.column(name).to_pylist() for name in scorer.features}


def answers(scorer: Scorer, columns: Columns, label: np.ndarray) -> Scored:
    """The scorer's answers beside the labels."""
    found = scorer.score(columns)
    if found.probability is None:
        return Scored(label, np.asarray(found.prediction, dtype=float))
    prediction = np.asarray(found.prediction, dtype=label.dtype)
    return Scored(label, prediction, np.asarray(found.probability), tuple(scorer.classes))


def latency(scorer: Scorer, columns: Columns) -> Latency:
    """Times of one-row scores after a warm-up: a thousand calls, or two seconds of them."""
    n_rows = len(columns[scorer.features[0]])
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


def trained_on(tables: Tables, version: Version, rows: pa.Table, keys: tuple[str, ...]) -> int:
    """How many of the rows stand in the version's training table, by content or by key.

    By key too: a column declared since, or a label corrected since, changes the content of a row
    that the version has seen all the same.
    """
    at = int(_tag(version, "training_version"))
    training = tables.read("training", at, columns=[ROW_HASH, *keys])
    hashes = training.column(ROW_HASH).to_numpy()
    if content_hash(hashes) != _tag(version, "training_hash"):
        raise Refused(f"table training@{at} does not hold the rows that it was trained on")
    same_row = np.isin(rows.column(ROW_HASH).to_numpy(), hashes)
    mine, theirs = (row_hashes(table.select(list(keys))) for table in (rows, training))
    return int((same_row | np.isin(mine, theirs)).sum())


def validation(workspace: Workspace, version: Version) -> str:
    """What the validation of the version's data said; Refused where no finished one is known."""
    raw = _tag(version, "raw_hash")
    runs = workspace.client.search_runs(
        [workspace.experiment_id],
        f"tags.step = '{VALIDATE.name}' and tags.data_hash = '{raw}' "
        "and attributes.status = 'FINISHED'",
        max_results=1,
    )
    if not runs:
        raise Refused(f"no finished validation of raw rows {raw[:12]} is known")
    return load_result(workspace, VALIDATE, runs[0].info.run_id).line()


def groups(case: UseCase, rows: pa.Table) -> Groups:
    """The declared slices: the value of each column on each row, as text."""
    return {
        name: rows.column(name).to_pandas().astype(str).to_numpy()
        for name in case.evaluation.slices
    }


def _compare(mine: Measured, champion: Scorer, rows: pa.Table) -> Comparison:
    theirs = answers(champion, plain(champion, rows), mine.scored.label)
    return compare(mine.case, mine.scored, theirs, groups(mine.case, rows))


def _trained_on(
    attempt: Attempts, workspace: Workspace, version: Version, rows: pa.Table | None
) -> int | None:
    if rows is None:
        return None
    what = f"the training rows of version {version.version} are not known"
    keys = workspace.use_case.keys
    return attempt(what, lambda: trained_on(workspace.tables, version, rows, keys))


def _tag(version: Version, name: str) -> str:
    if not (found := version.tags.get(name)):
        raise Refused(f"version {version.version} has no tag {name}")
    return found
